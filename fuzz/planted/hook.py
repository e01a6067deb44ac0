"""The import hook that plants a bug: one module is loaded from its edited source. No file is changed.

It composes with the probe hook (`fuzz.probes.hook`), which compiles whatever source the loader gives.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Never

import msgspec

from fuzz.planted.edit import Edit

VARIABLE = "INFERFUZZ_PLANTED"
"""Environment variable that carries an edit (JSON) to the processes that workers are forked from."""


class PlantedFinder(MetaPathFinder):
    """Stands in `sys.meta_path` and finds one module."""

    def __init__(self, edit: Edit) -> None:
        self._edit = edit

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's usual spec with a loader that edits. Raises `ImportError` for a module without a source file."""
        if fullname != self._edit.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            raise ImportError(f"a bug can only be planted into a Python source file, and {fullname!r} is none")
        spec.loader = _PlantedLoader(fullname, str(spec.loader.path), self._edit)
        return spec

    def remove(self) -> None:
        """Plant into no further import."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


class _PlantedLoader(SourceFileLoader):
    def __init__(self, name: str, path: str, edit: Edit) -> None:
        super().__init__(name, path)
        self._edit = edit

    def get_data(self, path: str) -> bytes:
        data = super().get_data(path)
        return self._edit.apply(data.decode()).encode() if path == self.path else data

    def path_stats(self, path: str) -> Never:
        # Without a time stamp Python neither reads nor writes the bytecode cache, which holds the plain code.
        raise OSError(f"{path} is edited on import")


def install(edit: Edit) -> PlantedFinder:
    """Plant from now on. Raises `ImportError` if the module is imported already."""
    if edit.module in sys.modules:
        raise ImportError(f"{edit.module} has been imported before the bug could be planted")
    finder = PlantedFinder(edit)
    sys.meta_path.insert(0, finder)
    return finder


def install_from_environment() -> None:
    """Plant the bug that `INFERFUZZ_PLANTED` names, if any."""
    if text := os.environ.get(VARIABLE, ""):
        install(msgspec.json.decode(text, type=Edit))
