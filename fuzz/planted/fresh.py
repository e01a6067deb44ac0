"""A second copy of a target in this process, with a bug planted; the plain modules stay what they are."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from fuzz.planted.edit import Edit
from fuzz.planted.hook import install
from targets import registry
from targets.contract import Target


@contextmanager
def planted_target(name: str, edit: Edit) -> Iterator[Target]:
    """The target, made from a fresh copy of its modules with the edit in place.

    Only while the context is open do the modules' import names mean the copy. Raises `EditError`.
    """
    prefixes = (*registry.find(name).modules, edit.module)
    plain = forget(prefixes)
    finder = install(edit)
    try:
        importlib.import_module(edit.module)
        yield registry.find(name)
    finally:
        finder.remove()
        forget(prefixes)
        for module, content in plain.items():
            _put_back(module, content)


def forget(prefixes: tuple[str, ...]) -> dict[str, ModuleType]:
    """Take these modules and everything below them out of `sys.modules`: the next import makes them afresh."""
    inside = [
        name for name in sys.modules if any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
    ]
    return {name: sys.modules.pop(name) for name in inside}


def _put_back(name: str, module: ModuleType) -> None:
    sys.modules[name] = module
    # `import a.b` also sets the attribute of the parent, which would go on meaning the copy.
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)
