"""Corpus folders: one JSON file a case, named by content hash; safe to read, edit, merge and commit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fuzz.corpus.atomic import write_atomically
from fuzz.corpus.entry import CorpusEntry, case_of, decode_entry, encode_entry, name_of
from targets.codec import DecodeError
from targets.errors import UsageError


class CorpusError(UsageError):
    """A corpus folder cannot be read or written; the message names it and the reason."""


@dataclass(frozen=True)
class Stored:
    """A file and the entry in it."""

    path: Path
    entry: CorpusEntry

    @property
    def case(self) -> msgspec.Struct:
        """The entry's case."""
        return case_of(self.entry)


@dataclass(frozen=True)
class Skipped:
    """A file that is left alone because it cannot be read."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path} is skipped: {self.reason}"


@dataclass(frozen=True)
class Loaded:
    """What a folder holds, by file name."""

    entries: tuple[Stored, ...]
    skipped: tuple[Skipped, ...]


def shipped_seeds() -> Path:
    """The folder of cases rebuilt from real bugs that comes with inferfuzz."""
    packaged = Path(__file__).parents[1] / "seeds"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "corpus" / "seeds"


def own_folder(kept: Path, target: str) -> Path:
    """Where a project that keeps its things in `kept` has the corpus of a target."""
    return kept / "corpus" / target.replace(":", ".").replace("/", "_")


def load(folder: Path) -> Loaded:
    """Every entry of a folder (a missing folder is empty). Raises `CorpusError` if the folder cannot be listed."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except FileNotFoundError:
        return Loaded((), ())
    except OSError as error:
        raise CorpusError(f"The corpus folder {folder} cannot be read: {error.strerror or error}.") from error
    found = [read(path) for path in paths]
    return Loaded(
        tuple(item for item in found if isinstance(item, Stored)),
        tuple(item for item in found if isinstance(item, Skipped)),
    )


def read(path: Path) -> Stored | Skipped:
    """The entry in a file, or why it cannot be read."""
    try:
        return Stored(path, decode_entry(path.read_bytes()))
    except OSError as error:
        return Skipped(path, error.strerror or str(error))
    except DecodeError as error:
        return Skipped(path, str(error))


def add(folder: Path, entry: CorpusEntry) -> Path | None:
    """Store an entry under its content hash; the path, or None if the folder has the case already.

    A file of that name that cannot be read is kept, and the entry goes beside it. Raises `CorpusError` if the folder
    cannot be written.
    """
    name = name_of(entry)
    path = folder / f"{name}.json"
    try:
        if path.exists():
            if isinstance(read(path), Stored):
                return None
            path = folder / f"{name}-new.json"
            if path.exists():
                return None
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, encode_entry(entry))
    except OSError as error:
        raise CorpusError(f"The case {name} cannot be stored in {folder}: {error.strerror or error}.") from error
    return path


@dataclass(frozen=True)
class Merged:
    """What a merge did."""

    added: tuple[Path, ...]
    present: int
    """Entries that were there already."""
    skipped: tuple[Skipped, ...]


def merge(into: Path, sources: Iterable[Path]) -> Merged:
    """Add everything readable from other folders. Raises `CorpusError` if one does not exist or cannot be written."""
    added: list[Path] = []
    present = 0
    skipped: list[Skipped] = []
    for source in sources:
        if not source.is_dir():
            raise CorpusError(f"There is no corpus folder {source}.")
        loaded = load(source)
        skipped += loaded.skipped
        for stored in loaded.entries:
            path = add(into, stored.entry)
            if path is None:
                present += 1
            else:
                added.append(path)
    return Merged(tuple(added), present, tuple(skipped))


def remove(stored: Iterable[Stored]) -> int:
    """Delete the files of these entries; how many. Raises `CorpusError`."""
    count = 0
    for item in stored:
        try:
            item.path.unlink(missing_ok=True)
        except OSError as error:
            raise CorpusError(f"{item.path} cannot be removed: {error.strerror or error}.") from error
        count += 1
    return count
