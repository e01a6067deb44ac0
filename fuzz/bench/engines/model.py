"""What the engines' benchmark measured: plain data, JSON through msgspec."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

import msgspec

from fuzz.bench.containment.model import Goal
from fuzz.bench.engines.discoveries import Discovery, Search

PROBE_RATIO = 1.2
CALL_SECONDS = 0.001
ENGINE_SHARE = 0.1


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    """One way to choose cases, over all seeds. A median is None where fewer than half of the seeds got there."""

    name: str
    found: tuple[int, ...]
    """Conditions found, for each seed."""
    cases_per_second: float
    """Median over the seeds."""
    cases: dict[str, float | None]
    """Condition to the median number of cases until it was met."""
    seconds: dict[str, float | None]
    """Condition to the median time until it was met."""

    @property
    def median_cases(self) -> float | None:
        """Cases until half of the conditions had been met."""
        return _median(self.cases.values())

    @property
    def hardest_cases(self) -> float | None:
        """Cases until all conditions had been met, each counted by its median."""
        return _worst(self.cases.values())

    @property
    def median_seconds(self) -> float | None:
        """Time until half of the conditions had been met."""
        return _median(self.seconds.values())

    @property
    def hardest_seconds(self) -> float | None:
        """Time until all conditions had been met."""
        return _worst(self.seconds.values())


class EnginesBenchmark(msgspec.Struct, frozen=True, kw_only=True):
    """All contestants in one run, and what the engines' parts cost."""

    seconds: float
    """Budget of each search."""
    seeds: int
    conditions: tuple[str, ...]
    contestants: tuple[Contestant, ...]
    left_out: dict[str, str]
    """Contestant that cannot run here to the reason."""
    probe_ratio: float
    """Probed run divided by plain run."""
    mutation_seconds: float
    """Processor time that making a case takes the guided engine."""
    bookkeeping_seconds: float
    """Processor time of the guided engine for a case, beside making and running it."""

    def goals(self) -> tuple[Goal, ...]:
        """The figures that have a bound."""
        share = (self.mutation_seconds + self.bookkeeping_seconds) / CALL_SECONDS
        return (
            Goal(
                name="probed run by plain run",
                value=self.probe_ratio,
                bound=PROBE_RATIO,
                at_least=False,
                met=self.probe_ratio <= PROBE_RATIO,
            ),
            Goal(
                name="mutation and bookkeeping, share of a 1 ms call",
                value=share,
                bound=ENGINE_SHARE,
                at_least=False,
                met=share <= ENGINE_SHARE,
            ),
        )


def contestant(name: str, searches: Sequence[Search], conditions: Sequence[str]) -> Contestant:
    """What the searches of all seeds come to."""
    firsts = {condition: [search.first.get(condition) for search in searches] for condition in conditions}
    return Contestant(
        name=name,
        found=tuple(len(search.first) for search in searches),
        cases_per_second=statistics.median(search.cases_per_second for search in searches),
        cases={condition: _median(_cases(found) for found in first) for condition, first in firsts.items()},
        seconds={condition: _median(_seconds(found) for found in first) for condition, first in firsts.items()},
    )


def _cases(found: Discovery | None) -> float | None:
    return None if found is None else float(found.cases)


def _seconds(found: Discovery | None) -> float | None:
    return None if found is None else found.seconds


def _median(values: Iterable[float | None]) -> float | None:
    """The upper median; what was not found counts as later than everything."""
    ordered = sorted(math.inf if value is None else value for value in values)
    return _finite(ordered[len(ordered) // 2])


def _worst(values: Iterable[float | None]) -> float | None:
    return _finite(max(math.inf if value is None else value for value in values))


def _finite(value: float) -> float | None:
    return None if math.isinf(value) else value
