"""Who comes nearest to a gap: the properties and strategies whose runs reach the line before it."""

from __future__ import annotations

from fuzz.gaps.measure import Measured
from fuzz.gaps.model import Nearest
from fuzz.gaps.regions import Region
from fuzz.gaps.replay import SEPARATOR

MOST = 3


def nearest(region: Region, measured: Measured) -> Nearest:
    """The executed line before the gap in its function and who executes it, those with the fewest lines first.

    For a branch between two executed lines that is the line which branches.
    """
    line = _neighbour(region, measured)
    if line is None:
        return Nearest()
    pairs = [context.split(SEPARATOR, 1) for context in measured.contexts.get(line, ()) if SEPARATOR in context]
    return Nearest(
        line=line,
        properties=_rarest([code for code, _ in pairs], measured, 0),
        strategies=_rarest([strategy for _, strategy in pairs], measured, 1),
    )


def _neighbour(region: Region, measured: Measured) -> int | None:
    if region.whole:
        return None
    sources = [start for start, _ in region.branches if start in measured.executed]
    if sources:
        return max(sources)
    first = region.function.body if region.function.name else 1
    before = [line for line in measured.executed if first <= line < region.line]
    return max(before, default=None)


def _rarest(names: list[str], measured: Measured, part: int) -> tuple[str, ...]:
    """The most specific of these: whoever executes little else of this file has the most to do with the line."""
    reach: dict[str, int] = dict.fromkeys(names, 0)
    for contexts in measured.contexts.values():
        for name in {context.split(SEPARATOR, 1)[part] for context in contexts if SEPARATOR in context}:
            if name in reach:
                reach[name] += 1
    return tuple(sorted(reach, key=lambda name: (reach[name], name)))[:MOST]
