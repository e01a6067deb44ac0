"""Which passes of a target's fault points are tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from targets.contract import FaultPoint

T = TypeVar("T")


def faults_of(passed: Mapping[str, int], most: int) -> list[FaultPoint]:
    """Faults to try, given how often each point is passed: all, or so many (two at least) at equal distances."""
    return spread([FaultPoint(name, 1 + place) for name, count in passed.items() for place in range(count)], most)


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items (two at least): the first, the last, and others at equal distances."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]
