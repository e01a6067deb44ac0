"""The import hook: compiles planned modules with probes in them. Everything else is imported as ever."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from fuzz.probes.insert import insert_probes
from fuzz.probes.nodes import namespace
from fuzz.probes.plan import ProbedModule, ProbePlan, digest_of


class ProbeHook(MetaPathFinder):
    """Stands first in `sys.meta_path`; `remove` takes it out, modules that have been imported keep their probes."""

    def __init__(self, modules: Mapping[str, ProbedModule], probes: memoryview) -> None:
        self._modules = modules
        self._probes = probes
        self.late = tuple(name for name in modules if name in sys.modules)
        """Planned modules that had been imported before the hook was there, so they have no probes."""
        self.changed: list[str] = []
        """Modules whose source is no longer the planned one; imported without probes."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that the other finders give, with our loader if it is a plain source file."""
        module = self._modules.get(fullname)
        if module is None:
            return None
        spec = self._ask_others(fullname, path, target)
        # Loaders that compile in a way of their own (pytest's assertion rewriting, zip files) keep the module.
        if spec is not None and isinstance(spec.loader, SourceFileLoader) and _compiles_as_usual(spec.loader):
            spec.loader = _ProbedLoader(spec.loader, module, self)
        return spec

    def remove(self) -> None:
        """Stop probing further imports."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def compile(self, module: ProbedModule, data: bytes, path: str) -> CodeType | None:
        """The probed code of a planned module; None if the source is not the planned one."""
        if digest_of(data) != module.digest:
            self.changed.append(module.name)
            return None
        tree = ast.parse(data, path)
        insert_probes(tree, module.first)
        code: CodeType = compile(tree, path, "exec", dont_inherit=True)
        return code

    def prepare(self, module: ModuleType) -> None:
        """Give a module the globals that its probes use."""
        module.__dict__.update(namespace(self._probes))

    def _ask_others(self, name: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        for finder in sys.meta_path:
            if finder is self or isinstance(finder, ProbeHook):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
        return None


def install(plan: ProbePlan, probes: memoryview) -> ProbeHook:
    """Probe the plan's modules from now on, into `probes` (writable bytes, at least `plan.size`).

    Raises `ValueError` if the memory is too small. Modules imported already stay as they are (`ProbeHook.late`).
    """
    if len(probes) < plan.size:
        raise ValueError(f"a probe map of {len(probes)} bytes is too small for {plan.size} arms and features")
    hook = ProbeHook({module.name: module for module in plan.modules}, probes)
    sys.meta_path.insert(0, hook)
    return hook


def load_copy(name: str, plan: ProbePlan, probes: memoryview) -> ModuleType:
    """A second copy of a planned module, with probes, beside the plain one that `sys.modules` keeps.

    Raises `KeyError` for a module that is not in the plan, `ValueError` if its source has changed since.
    """
    module = {module.name: module for module in plan.modules}[name]
    hook = ProbeHook({name: module}, probes)
    code = hook.compile(module, Path(module.path).read_bytes(), module.path)
    if code is None:
        raise ValueError(f"the source of {name!r} has changed since the probes were planned: {module.path}")
    copy = ModuleType(name)
    copy.__file__ = module.path
    hook.prepare(copy)
    exec(code, copy.__dict__)  # noqa: S102 - it is the module's own code
    return copy


def _compiles_as_usual(loader: SourceFileLoader) -> bool:
    return type(loader).get_code is SourceFileLoader.get_code


class _ProbedLoader(SourceFileLoader):
    def __init__(self, plain: SourceFileLoader, module: ProbedModule, hook: ProbeHook) -> None:
        super().__init__(plain.name, str(plain.path))
        self._plain = plain
        self._module = module
        self._hook = hook

    def get_code(self, fullname: str) -> CodeType | None:
        # Not through the bytecode cache: it holds the code without probes, and must go on doing so.
        data = self._plain.get_data(self.path)
        return self._hook.compile(self._module, data, str(self.path)) or self._plain.get_code(fullname)

    def exec_module(self, module: ModuleType) -> None:
        self._hook.prepare(module)
        super().exec_module(module)
