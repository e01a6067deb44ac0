"""Shrinking: take simpler cases as long as they fail in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from fuzz.engines.model import Case, Trial
from fuzz.findings.signature import signatures
from targets.codec import encode

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

    @property
    def trial(self) -> Trial:
        """The simplest."""
        return self.trail[-1]

    def repeating(self, repeats: Callable[[Trial], bool]) -> Trial:
        """The simplest that repeats, which the caller tries; further and further back where one failed by chance."""
        back = 1
        while back < len(self.trail) and not repeats(self.trail[-back]):
            back *= 2
        return self.trail[max(0, len(self.trail) - back)]

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
    before it has just been tried; it ends when a whole round brought nothing. A violation has to show twice, since a
    target may draw at random. Works for crashes and hangs like for violations, since a trial is a value.
    """
    trail, used = [trial], 0
    tried: set[bytes] = set()
    place = 0
    improved = True
    while improved:
        improved = False
        for number, candidate in _round(simplify, trail[-1].case, place):
            if used >= executions or time.monotonic() > until:
                return Shrunk((*trail,), used, complete=False)
            key = encode(candidate)
            if key in tried:
                continue
            tried.add(key)
            attempt = run(candidate)
            used += 1
            if signature in signatures(attempt) and (
                attempt.verdict is None or signature in signatures(run(candidate))
            ):
                trail.append(attempt)
                place, improved = number, True
                break
    return Shrunk((*trail,), used, complete=True)


def _round(simplify: Simplify, case: Case, place: int) -> Iterator[tuple[int, Case]]:
    """Every candidate with its number, those from `place` on first."""
    yield from islice(enumerate(simplify(case)), place, None)
    yield from islice(enumerate(simplify(case)), place)
