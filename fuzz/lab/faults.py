"""Which passes of a target's fault points are tried."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import TypeVar

from targets.contract import FaultPoint

T = TypeVar("T")


def faults_of(passed: Mapping[str, int], most: int) -> list[FaultPoint]:
    """Faults to try, given how often each point is passed: all, or so many, each point in its turn.

    Which passes of a point come first is up to chance, the same for the same counts.
    """
    every = [[FaultPoint(name, 1 + place) for place in range(count)] for name, count in passed.items()]
    if sum(map(len, every)) <= most:
        return [*chain(*every)]
    chance = random.Random(repr([*passed.items()]))
    turns = zip_longest(*(chance.sample(faults, len(faults)) for faults in chance.sample(every, len(every))))
    return [fault for fault in chain(*turns) if fault is not None][:most]


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items (two at least): the first, the last, and others at equal distances."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]
