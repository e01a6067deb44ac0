"""Reads files of planted bugs (TOML, an array of tables `[[bug]]`)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from fuzz.planted.model import Bug
from targets.errors import UsageError, nearest


def shipped_files() -> tuple[Path, ...]:
    """The files that come with inferfuzz."""
    packaged = Path(__file__).with_name("bugs")
    folder = packaged if packaged.is_dir() else Path(__file__).parents[2] / "corpus" / "planted"
    return tuple(sorted(folder.glob("*.toml")))


def load_bugs(files: Sequence[Path]) -> tuple[Bug, ...]:
    """The bugs of all files, in order.

    Raises `UsageError` that names the file and the entry, for what cannot be read and for an id that occurs twice.
    """
    bugs: dict[str, Bug] = {}
    origin: dict[str, Path] = {}
    for file in files:
        for bug in _read(file):
            if bug.id in bugs:
                raise UsageError(f"Bug id {bug.id!r} occurs in {origin[bug.id]} and in {file}; give one another id.")
            bugs[bug.id], origin[bug.id] = bug, file
    return tuple(bugs.values())


def select(bugs: Iterable[Bug], ids: Sequence[str]) -> tuple[Bug, ...]:
    """The bugs of these ids; all of them without ids. Raises `UsageError` for an unknown id."""
    by_id = {bug.id: bug for bug in bugs}
    for name in ids:
        if name not in by_id:
            group = name.partition("-")[0] + "-"
            alike = [known for known in by_id if known.startswith(group)] or list(by_id)
            raise UsageError(f"No bug is called {name!r}.{nearest(name, by_id)} Known: {_some(alike)}.")
    return tuple(by_id[name] for name in ids) if ids else tuple(by_id.values())


def _some(names: Sequence[str], most: int = 20) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _read(file: Path) -> tuple[Bug, ...]:
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"Bug file {file} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"Bug file {file} is not TOML: {error}.") from None
    entries = content.get("bug")
    if not isinstance(entries, list) or set(content) != {"bug"}:
        raise UsageError(f"Bug file {file} must hold [[bug]] entries and nothing else.")
    return tuple(_convert(entry, file, place) for place, entry in enumerate(entries, start=1))


def _convert(entry: Any, file: Path, place: int) -> Bug:
    try:
        return msgspec.convert(entry, Bug, str_keys=True)
    except msgspec.ValidationError as error:
        name = entry.get("id", "without id") if isinstance(entry, dict) else "no table"
        raise UsageError(f"Bug file {file}, entry {place} ({name}): {error}") from None
