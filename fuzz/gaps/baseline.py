"""The accepted state of the gaps: read, compared with, replaced as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from fuzz.gaps import accepted
from fuzz.gaps.model import FORMAT, Changes, Gap, GapsReport
from targets.errors import UsageError


def baseline_path(folder: Path, target: str) -> Path:
    """Where the baseline of a target is kept."""
    name = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in target)
    return folder / f"{name}.json"


def read(path: Path) -> GapsReport | None:
    """The baseline, or None if none was accepted. Raises `UsageError` for one that is damaged or of a newer version."""
    return accepted.read(path, GapsReport, FORMAT)


def accept(path: Path, report: GapsReport, before: GapsReport | None = None) -> None:
    """Make a report the baseline; the old one stays if this fails half-way. Of tiers that the report did not look at,
    what `before` knows stays. Raises `UsageError`.
    """
    if not report.complete:
        raise UsageError("The replay is incomplete, so its result is not accepted as a baseline.")
    accepted.write(path, msgspec.structs.replace(_joined(report, before), changes=None))


def _joined(report: GapsReport, before: GapsReport | None) -> GapsReport:
    if before is None or not report.only_tiers:
        return report
    names = report.only_tiers
    return msgspec.structs.replace(
        report,
        only_tiers=before.only_tiers and tuple(sorted({*names, *before.only_tiers})),
        tiers=(*report.tiers, *(tier for tier in before.tiers if tier.name not in names)),
        files=(*report.files, *(file for file in before.files if file.tier not in names)),
        gaps=(*report.gaps, *(gap for gap in before.gaps if gap.tier not in names)),
    )


def compare(before: Sequence[Gap], after: Sequence[Gap]) -> Changes:
    """What opened, closed and moved. A gap is the same if path, function, first line's text and kind are; it has
    moved if its line, its function or its path changed and nothing else.
    """
    moved: list[tuple[Gap, Gap]] = []
    closed, opened = list(before), list(after)
    for same in (_whole_identity, _identity, _text):
        for old in list(closed):
            new = next((gap for gap in opened if same(gap) == same(old)), None)
            if new is None:
                continue
            closed.remove(old)
            opened.remove(new)
            if same is not _whole_identity:
                moved.append((old, new))
    return Changes(opened=tuple(opened), closed=tuple(closed), moved=tuple(moved))


def _whole_identity(gap: Gap) -> tuple[object, ...]:
    return (*_identity(gap), gap.line)


def _identity(gap: Gap) -> tuple[object, ...]:
    return (gap.path, gap.function, *_text(gap))


def _text(gap: Gap) -> tuple[object, ...]:
    return (gap.kind, gap.text, len(gap.lines), len(gap.branches))
