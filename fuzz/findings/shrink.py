"""Shrinking: take simpler cases as long as they fail in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fuzz.engines.model import Case, Trial
from fuzz.findings.signature import signatures
from targets.codec import encode

Simplify = Callable[[Case], Iterator[Case]]
"""Candidates simpler than the given case, the most aggressive first."""


@dataclass(frozen=True)
class Shrunk:
    """The simplest failing case that was found."""

    trial: Trial
    steps: int
    """Simplifications that kept the failure."""
    executions: int
    complete: bool
    """Whether no candidate is left; False when the time or the executions ran out."""


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

    Greedy: the first candidate that still fails is taken and the search starts over from it. Works for crashes and
    hangs like for violations, since a trial is a value.
    """
    best, steps, used = trial, 0, 0
    tried: set[bytes] = set()
    improved = True
    while improved:
        improved = False
        for candidate in simplify(best.case):
            if used >= executions or time.monotonic() > until:
                return Shrunk(best, steps, used, complete=False)
            key = encode(candidate)
            if key in tried:
                continue
            tried.add(key)
            attempt = run(candidate)
            used += 1
            if signature in signatures(attempt):
                best, steps, improved = attempt, steps + 1, True
                break
    return Shrunk(best, steps, used, complete=True)
