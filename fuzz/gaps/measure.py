"""Reads combined coverage data: lines and branches of each file, and which contexts reached which line."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import coverage

ALSO_EXCLUDED = ("@overload", "@typing.overload")


@dataclass(frozen=True)
class Measured:
    """One file."""

    path: str
    executed: frozenset[int]
    missing: frozenset[int]
    branches: frozenset[tuple[int, int]]
    """All of them, executed or not."""
    missing_branches: frozenset[tuple[int, int]]
    contexts: Mapping[int, tuple[str, ...]]
    """Executed line to the contexts that executed it."""


def combined(data: Iterable[Path], files: Iterable[str], into: Path) -> coverage.Coverage:
    """All data files as one under `into`, with files that nothing imported as empty. The parts stay."""
    measured = coverage.Coverage(data_file=str(into), branch=True, include=list(files), config_file=False)
    for pattern in ALSO_EXCLUDED:
        measured.exclude(pattern)
    parts = [str(path) for path in data]
    if parts:
        measured.combine(parts, keep=True, strict=False)
    found = measured.get_data()
    # Files can be added only to data that knows its kind, which it learns from the first arcs.
    found.add_arcs(dict.fromkeys(files, ()))
    found.touch_files(list(files))
    return measured


def measurements(measured: coverage.Coverage, files: Iterable[str]) -> tuple[Measured, ...]:
    """What was measured of each file, in their order; files without code are left out."""
    wanted = [path for path in files if Path(path).read_bytes().strip()]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        measured.json_report(morfs=wanted, outfile=str(report))
        found = json.loads(report.read_text(encoding="utf-8"))["files"]
    by_path = {str(Path(path).resolve()): entry for path, entry in found.items()}
    data = measured.get_data()
    made = []
    for path in wanted:
        entry = by_path[str(Path(path).resolve())]
        missing_branches = frozenset((start, end) for start, end in entry["missing_branches"])
        made.append(
            Measured(
                path=path,
                executed=frozenset(entry["executed_lines"]),
                missing=frozenset(entry["missing_lines"]),
                branches=missing_branches | {(start, end) for start, end in entry["executed_branches"]},
                missing_branches=missing_branches,
                contexts={line: tuple(names) for line, names in data.contexts_by_lineno(path).items()},
            )
        )
    return tuple(made)
