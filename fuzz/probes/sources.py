"""Finds the source of modules without importing them or their packages."""

from __future__ import annotations

import ast
import pkgutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader


@dataclass(frozen=True)
class Source:
    """A module and its text; or why there is none."""

    name: str
    path: str = ""
    data: bytes = b""
    problem: str = ""


def find_sources(names: Iterable[str]) -> tuple[Source, ...]:
    """The named modules, and for packages everything below them; sorted by name, each once."""
    found = {source.name: source for name in names for source in _with_everything_below(name)}
    return tuple(found[name] for name in sorted(found))


def find_with_imports(names: Iterable[str], top: str) -> tuple[Source, ...]:
    """The named modules with everything below them, and all of the package `top` that they import, directly or through
    others; sorted by name. Only import statements are followed.
    """
    found: dict[str, Source] = {}
    pending = list(find_sources(names))
    while pending:
        source = pending.pop()
        if source.name not in found:
            found[source.name] = source
            pending += filter(None, (_one(name) for name in _imported(source, top) if name not in found))
    return tuple(found[name] for name in sorted(found))


def _imported(source: Source, top: str) -> set[str]:
    """What may be a module of `top` among the names in import statements: `from a import b` names `a` and `a.b`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.data)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
    return {name for name in names if name.partition(".")[0] == top}


def _one(name: str) -> Source | None:
    spec = find_spec(name)
    return None if spec is None else _read(spec)


def _with_everything_below(name: str) -> Iterator[Source]:
    spec = find_spec(name)
    if spec is None:
        yield Source(name, problem="not found")
        return
    yield _read(spec)
    places = list(spec.submodule_search_locations or ())
    for child in pkgutil.iter_modules(places):
        yield from _with_everything_below(f"{name}.{child.name}")


def find_spec(name: str) -> ModuleSpec | None:
    """The spec of a module; unlike `importlib.util.find_spec`, no parent package is imported for it."""
    head, *rest = name.split(".")
    spec = _ask_finders(head, None)
    path = head
    for part in rest:
        if spec is None:
            return None
        path = f"{path}.{part}"
        spec = _ask_finders(path, spec.submodule_search_locations or [])
    return spec


def _ask_finders(name: str, places: Sequence[str] | None) -> ModuleSpec | None:
    # Editable installs bring finders of their own, and a planted bug has one, hence not PathFinder alone. One that
    # gives no source is passed over for one that does: pytest's, which rewrites assertions, is not in workers.
    specs = (finder.find_spec(name, places) for finder in sys.meta_path)
    first: ModuleSpec | None = None
    for spec in specs:
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            return spec
        first = first or spec
    return first


def _read(spec: ModuleSpec) -> Source:
    if not isinstance(spec.loader, SourceFileLoader):
        kind = "a namespace package" if spec.loader is None else f"loaded by {type(spec.loader).__name__}"
        return Source(spec.name, problem=f"no Python source: {kind}")
    path = str(spec.loader.path)
    try:
        return Source(spec.name, path, spec.loader.get_data(path))
    except OSError as error:
        return Source(spec.name, path, problem=f"cannot be read: {error}")
