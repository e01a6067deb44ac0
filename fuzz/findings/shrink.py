"""Shrinking: take simpler cases as long as they fail in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from fuzz.engines.model import Case, Trial
from fuzz.findings.signature import signatures
from targets.codec import encode

SHOWN = 2
"""Runs in which a simpler case must show the failure to be taken: a target may draw at random."""
SHOWN_WHEN_UNSURE = 8
"""The same once a case has shown it and then not: the failure depends on the moment, and some cases on little else."""

Simplify = Callable[[Case], Iterator[Case]]
"""Candidates simpler than the given case, the most aggressive first."""


@dataclass(frozen=True)
class Shrunk:
    """The simplest failing case that was found."""

    trail: tuple[Trial, ...]
    """What was begun with, then every simplification that kept the failure, the simplest last."""
    executions: int
    complete: bool
    """Whether no candidate is left; False when the time or the executions ran out."""
    unsure: bool = False
    """Whether a case showed the failure and then did not."""

    @property
    def trial(self) -> Trial:
        """The simplest."""
        return self.trail[-1]

    def backwards(self) -> Iterator[Trial]:
        """The simplest, then some further and further back, at last what was begun with: the first may be chance."""
        back = 1
        while back < len(self.trail):
            yield self.trail[-back]
            back *= 2
        yield self.trail[0]

    @property
    def steps(self) -> int:
        """Simplifications that kept the failure."""
        return len(self.trail) - 1


def shrink(
    trial: Trial,
    signature: str,
    simplify: Simplify,
    run: Callable[[Case], Trial],
    *,
    until: float,
    executions: int = 2_000,
) -> Shrunk:
    """Simplify until no candidate shows `signature`, or until `time.monotonic()` passes `until`.

    Greedy: the first candidate that still fails is taken, and the search goes on behind its place, since what stood
    before it has just been tried; it ends when a whole round brought nothing. A violation has to show more than once.
    Works for crashes and hangs like for violations, since a trial is a value.
    """
    trail, used, needed = [trial], 0, SHOWN
    tried: set[bytes] = set()
    place = 0
    improved = True
    while improved:
        improved = False
        for number, candidate in _round(simplify, trail[-1].case, place):
            if used >= executions or time.monotonic() > until:
                return Shrunk((*trail,), used, complete=False, unsure=needed > SHOWN)
            key = encode(candidate)
            if key in tried:
                continue
            tried.add(key)
            attempt, shown = _shown(run, candidate, signature, needed)
            used += 1
            if shown == needed:
                trail.append(attempt)
                place, improved = number, True
                break
            if shown:
                needed = SHOWN_WHEN_UNSURE
    return Shrunk((*trail,), used, complete=True, unsure=needed > SHOWN)


def _shown(run: Callable[[Case], Trial], case: Case, signature: str, wanted: int) -> tuple[Trial, int]:
    """The first trial of a case, and in how many runs it showed the failure, counted until the first that did not.

    A lost worker is believed at once: it is costly, and no matter of chance draws.
    """
    first = run(case)
    if signature not in signatures(first):
        return first, 0
    if first.verdict is None:
        return first, wanted
    return first, next((n for n in range(1, wanted) if signature not in signatures(run(case))), wanted)


def _round(simplify: Simplify, case: Case, place: int) -> Iterator[tuple[int, Case]]:
    """Every candidate with its number, those from `place` on first."""
    yield from islice(enumerate(simplify(case)), place, None)
    yield from islice(enumerate(simplify(case)), place)
