"""Shrinking what depends on chance: a simpler case has to prove itself."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import msgspec

from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines.model import Case, Trial
from fuzz.findings.shrink import SHOWN, SHOWN_WHEN_UNSURE, Shrunk, shrink
from fuzz.properties.model import Verdict, Violation


class Numbers(msgspec.Struct, frozen=True, tag="numbers"):
    """A case that shrinks by dropping numbers."""

    values: tuple[int, ...]


class Luck:
    """Says how often in a row a case fails; counts the runs of each."""

    def __init__(self, in_a_row: dict[tuple[int, ...], int]) -> None:
        self.in_a_row = in_a_row
        self.runs: Counter[tuple[int, ...]] = Counter()

    def __call__(self, case: Case) -> Trial:
        assert isinstance(case, Numbers)
        self.runs[case.values] += 1
        fails = self.runs[case.values] <= self.in_a_row.get(case.values, 0)
        violations = (Violation(code="P1", slug="luck", message="m"),) if fails else ()
        return Trial(case, Outcome(fate=Fate.COMPLETED, reply=b""), Verdict(violations=violations), None)


def dropping(case: Case) -> Iterator[Case]:
    assert isinstance(case, Numbers)
    for place in range(len(case.values)):
        yield Numbers(case.values[:place] + case.values[place + 1 :])


def shrunk_from(luck: Luck, *values: int) -> Shrunk:
    luck.in_a_row[values] = 100
    return shrink(luck(Numbers(values)), "P1/luck", dropping, luck, until=time.monotonic() + 5)


def test_what_always_fails_is_run_twice() -> None:
    luck = Luck({(2,): 100})
    found = shrunk_from(luck, 1, 2)
    assert found.trial.case == Numbers((2,))
    assert luck.runs[2,] == SHOWN


def test_after_a_case_that_failed_once_and_then_not_a_simpler_one_must_fail_many_times() -> None:
    luck = Luck({(2, 3): 1, (1, 3): SHOWN_WHEN_UNSURE, (3,): SHOWN_WHEN_UNSURE - 1})
    found = shrunk_from(luck, 1, 2, 3)
    assert found.trial.case == Numbers((1, 3))


def test_the_way_back_leads_in_growing_steps_to_what_was_begun_with() -> None:
    luck = Luck({(*range(place, 6),): 100 for place in range(6)})
    trail = [trial.case for trial in shrunk_from(luck, *range(6)).backwards()]
    assert trail == [Numbers((*range(place, 6),)) for place in (5, 4, 2)] + [Numbers((*range(6),))]
