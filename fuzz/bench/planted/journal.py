"""Hunts that were held, one JSON line each, so that a long sweep can be ended, continued, split and merged (`cat`)."""

from __future__ import annotations

from pathlib import Path

import msgspec

from fuzz.bench.planted.model import Hunt, HuntPlan
from targets.errors import UsageError

Key = tuple[str, str, int, float, bool]


class Journal:
    """The hunts of a file, and of this run. Without a path they are only remembered.

    Raises `UsageError` for a file that cannot be read, naming the line.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.hunts: dict[Key, Hunt] = {}
        for hunt in _read(path) if path is not None and path.exists() else ():
            self.hunts[hunt.key] = hunt

    def add(self, hunt: Hunt) -> None:
        """Remember a hunt and append it to the file; one that could not be held is not written, so it is repeated."""
        self.hunts[hunt.key] = hunt
        if self.path is not None and not hunt.problem:
            with self.path.open("ab") as file:
                file.write(msgspec.json.encode(hunt) + b"\n")


def key_of(plan: HuntPlan) -> Key:
    """The key of the hunt that a plan leads to."""
    return plan.engine, plan.bug.id, plan.seed, plan.seconds, plan.corpus


def _read(path: Path) -> list[Hunt]:
    hunts = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"File of results {path} cannot be read: {error.strerror}.") from None
    for number, line in enumerate(lines, start=1):
        try:
            hunts.append(msgspec.json.decode(line, type=Hunt))
        except msgspec.MsgspecError as error:
            raise UsageError(f"File of results {path}, line {number}, is no hunt: {error}. Remove the line.") from None
    return hunts
