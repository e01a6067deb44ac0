"""Defaults from `[tool.inferfuzz]` of the nearest `pyproject.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from targets.codec import DecodeError, convert
from targets.errors import UsageError


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What `[tool.inferfuzz]` may say; the command line overrides it."""

    targets: tuple[str, ...] = ()
    """Targets of `inferfuzz run` without arguments."""
    devices: tuple[str, ...] = ()
    """Devices to run on; empty is every device a target offers."""
    dtypes: tuple[str, ...] = ()
    """Number formats; empty is each target's first one."""
    time: str = "60s"
    jobs: int = 0
    """Parallel jobs; 0 is one a core."""
    engine: str = "auto"
    folder: str = ".inferfuzz"
    """Where corpus and findings are kept."""
    regressions: str = "corpus/regressions"
    """Where promoted findings go, for pytest to collect."""
    deadline: float = 10.0
    """Seconds a call may take."""
    memory: int = 4096
    """Megabytes a worker may grow beyond its size after import; 0 is unlimited."""


def load(start: Path | None = None) -> Configuration:
    """The configuration for a folder: that of the nearest `pyproject.toml` upwards which has the section.

    Raises `UsageError` naming the file and the wrong field.
    """
    folder = (start or Path.cwd()).resolve()
    for parent in (folder, *folder.parents):
        path = parent / "pyproject.toml"
        if path.is_file():
            section = _section(path)
            if section is not None:
                return _decode(section, path)
    return Configuration()


def _section(path: Path) -> object | None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    section: object | None = document.get("tool", {}).get("inferfuzz")
    return section


def _decode(section: object, path: Path) -> Configuration:
    try:
        return convert(section, Configuration)
    except DecodeError as error:
        raise UsageError(f"{path}, [tool.inferfuzz]: {error}") from error
