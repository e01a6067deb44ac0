"""Which passes of a target's fault points are tried, and what a violation behind one says."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import TypeVar

import msgspec

from fuzz.properties.model import Evidence, Violation
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


def faults_between(before: Mapping[str, int], after: Mapping[str, int], most: int) -> list[FaultPoint]:
    """The same, given the passes that a target has counted before and after a run without a fault."""
    return faults_of({name: count - before.get(name, 0) for name, count in after.items()}, most)


def caused_by(code: str, fault: FaultPoint, violation: Violation) -> Violation:
    """The violation as one of property `code` that shows after a fault."""
    evidence: dict[str, Evidence] = violation.evidence | {"fault": fault.name, "occurrence": fault.occurrence}
    message = f"after a fault in {fault.name} (pass {fault.occurrence}): {violation.message}"
    return msgspec.structs.replace(violation, code=code, message=message, evidence=evidence)


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items (two at least): the first, the last, and others at equal distances."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]
