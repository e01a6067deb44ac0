"""Findings on disk: one JSON file each, written atomically, safe to read, copy and commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from fuzz.corpus.atomic import write_atomically
from fuzz.corpus.entry import newer_format
from fuzz.findings.model import FORMAT, Finding
from targets.codec import DecodeError, decode
from targets.errors import UsageError, unknown


@dataclass(frozen=True)
class Damaged:
    """A file that is left alone because it cannot be read."""

    path: Path
    reason: str


def write(folder: Path, finding: Finding) -> Path:
    """Store the finding under its id and return the path. Raises `UsageError` if the folder cannot be written.

    A file of that name that cannot be read (damaged, or of a newer format) is kept; the finding goes beside it.
    """
    path = folder / f"{finding.id}.json"
    if path.exists() and isinstance(read(path), Damaged):
        path = folder / f"{finding.id}-new.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.format(msgspec.json.encode(finding), indent=1) + b"\n")
    except OSError as error:
        raise UsageError(
            f"The finding {finding.id} cannot be stored in {folder}: {error.strerror or error}."
        ) from error
    return path


def remove(folder: Path, name: str) -> None:
    """Remove the finding of that id, if it is there."""
    (folder / f"{name}.json").unlink(missing_ok=True)


def read(path: Path) -> Finding | Damaged:
    """The finding in a file, or why it cannot be read."""
    try:
        data = path.read_bytes()
        newer = newer_format(data)
        if newer is not None:
            return Damaged(path, f"format {newer} is newer than {FORMAT}, the newest this version reads")
        return decode(data, Finding)
    except (OSError, DecodeError) as error:
        return Damaged(path, str(error))


def read_all(folder: Path) -> tuple[list[Finding], list[Damaged]]:
    """Every finding in a folder by id, and the files that cannot be read."""
    found = [read(path) for path in sorted(folder.glob("*.json"))]
    return [item for item in found if isinstance(item, Finding)], [item for item in found if isinstance(item, Damaged)]


def find(folder: Path, name: str) -> Finding:
    """The finding with this id, unique id prefix or file path. Raises `UsageError`."""
    path = Path(name)
    if path.suffix == ".json" and path.exists():
        found = read(path)
        if isinstance(found, Damaged):
            raise UsageError(f"{found.path} cannot be read: {found.reason}.")
        return found
    findings, _ = read_all(folder)
    matches = [finding for finding in findings if finding.id.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if len(matches) > 1:
        raise UsageError(f"{name!r} fits {len(matches)} findings: {', '.join(item.id for item in matches)}.")
    raise unknown("finding", name, [finding.id for finding in findings], f"They are read from {folder}.")
