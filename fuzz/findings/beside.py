"""Whether two findings are one bug that shows in two ways: beside the small case of each the other shows.

One way is not enough: beside a case that needs an option lies what needs none, and shows nearly everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from fuzz.engines.model import Case, Trial
from fuzz.findings.signature import signatures

Neighbours = Callable[[Case], Iterator[Case]]
"""Cases beside a small one."""
Judge = Callable[[Case, tuple[str, ...] | None], Trial]

NEIGHBOURS = 48
"""Cases beside one in which the other is looked for."""
SHOWING = 5
"""Runs of a flaky finding's case in which one that always repeats is looked for."""


@dataclass(frozen=True)
class Shown:
    """A finding by what shows it."""

    signature: str
    codes: tuple[str, ...] | None
    """Properties that tell it."""
    case: Case
    """The smallest."""


def one_bug(first: Shown, second: Shown, neighbours: Neighbours, judge: Judge, *, until: float) -> bool:
    """Whether each shows beside the other; no longer looked for when `time.monotonic()` passes `until`."""
    return all(_shows(*pair, neighbours, judge, until) for pair in ((first, second), (second, first)))


def explains(sure: Shown, flaky: Case, judge: Judge, *, until: float) -> bool:
    """Whether a finding that always repeats shows in the case of a flaky one, too: it may well be behind both."""
    runs = (judge(flaky, sure.codes) for _ in range(SHOWING) if time.monotonic() < until)
    return any(sure.signature in signatures(trial) for trial in runs)


def _shows(one: Shown, other: Shown, neighbours: Neighbours, judge: Judge, until: float) -> bool:
    for case in islice(neighbours(one.case), NEIGHBOURS):
        if time.monotonic() > until:
            return False
        if other.signature in signatures(judge(case, other.codes)):
            return True
    return False
