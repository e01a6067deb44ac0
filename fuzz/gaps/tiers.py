"""Coverage tiers: which file belongs to which, and whether each is covered well enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from fuzz.configuration import Tier
from fuzz.gaps.model import FileCoverage, TierResult, percent
from targets.errors import UsageError

MINIMUMS: Mapping[str, float] = {"critical": 100.0, "core": 95.0, "utility": 90.0, "tests": 80.0}
"""Percent of lines and of branches that a tier of this name needs unless the configuration says otherwise."""
OTHERWISE = "core"
"""Tier of the files that no pattern matches."""


def tier_of(paths: Sequence[str], tiers: Mapping[str, Tier]) -> str:
    """The first tier with a pattern that matches one of a file's names; `core` if there is none.

    `*` matches any characters, slashes too, and a pattern without wildcards also matches what is below it.
    """
    for name, tier in tiers.items():
        if any(_matches(path, pattern) for path in paths for pattern in tier.paths):
            return name
    return OTHERWISE


def unmatched(all_paths: Iterable[Sequence[str]], tiers: Mapping[str, Tier], root: Path) -> tuple[str, ...]:
    """Patterns that match no measured file and name nothing else in the project: most likely misspelt.

    Tiers are for all targets of a project, of which each uses some files only.
    """
    known = [path for paths in all_paths for path in paths]
    return tuple(
        f"[tool.inferfuzz.tiers.{name}] pattern {pattern!r} matches no measured file"
        for name, tier in tiers.items()
        for pattern in tier.paths
        if not any(_matches(path, pattern) for path in known) and not (root / pattern).exists()
    )


def minimums(name: str, tiers: Mapping[str, Tier]) -> tuple[float, float]:
    """(lines, branches) in percent. Raises `UsageError` for a tier of one's own without a minimum."""
    tier = tiers.get(name, Tier())
    usual = MINIMUMS.get(name)
    lines = usual if tier.lines is None else tier.lines
    branches = lines if tier.branches is None else tier.branches
    if lines is None or branches is None:
        raise UsageError(
            f"[tool.inferfuzz.tiers.{name}] says no minimum. Add lines = 95.0 (percent), or use one of the known "
            f"names: {', '.join(MINIMUMS)}."
        )
    return lines, branches


def judge_tiers(
    files: Sequence[FileCoverage], tiers: Mapping[str, Tier], before: Mapping[str, TierResult]
) -> tuple[TierResult, ...]:
    """Every tier that has files, against its minimum and against the accepted baseline."""
    names = [*tiers, *(name for name in MINIMUMS if name not in tiers)]
    return tuple(
        _judge([file for file in files if file.tier == name], name, tiers, before.get(name))
        for name in names
        if any(file.tier == name for file in files)
    )


def _judge(
    files: Sequence[FileCoverage], name: str, tiers: Mapping[str, Tier], before: TierResult | None
) -> TierResult:
    lines = _percent(sum(file.covered_lines for file in files), sum(file.lines for file in files))
    branches = _percent(sum(file.covered_branches for file in files), sum(file.branches for file in files))
    least_lines, least_branches = minimums(name, tiers)
    reasons = []
    for what, found, least in (("line", lines, least_lines), ("branch", branches, least_branches)):
        if found < least:
            reasons.append(f"{what} coverage {percent(found)} is below {least:g} %")
    if before is not None:
        for what, found, once in (("line", lines, before.lines), ("branch", branches, before.branches)):
            if found < once:
                reasons.append(f"{what} coverage fell from {percent(once)} to {percent(found)}")
    return TierResult(
        name=name,
        files=len(files),
        lines=lines,
        branches=branches,
        minimum_lines=least_lines,
        minimum_branches=least_branches,
        reasons=tuple(reasons),
    )


def _percent(covered: int, total: int) -> float:
    # Rounded so that a baseline read from JSON compares equal.
    return round(100.0 * covered / total, 4) if total else 100.0


def _matches(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern.rstrip('/')}/*")
