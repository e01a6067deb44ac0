"""A shrunk case is the simplest that always repeats; where chance decides, steadiness goes before simplicity."""

from __future__ import annotations

import math
from collections import Counter

import msgspec

from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines.model import Case, Trial
from fuzz.findings.confirm import CONFIRMATIONS, REPLAYS, REPLAYS_WHEN_UNSURE, simplest
from fuzz.findings.model import Confirmation
from fuzz.findings.shrink import Shrunk
from fuzz.properties.model import Verdict, Violation


class Number(msgspec.Struct, frozen=True, tag="number"):
    """A case."""

    value: int


class Bench:
    """A case shows the failure in its first runs, as often as it is told; all others always do."""

    def __init__(self, shows: dict[int, int]) -> None:
        self.shows = shows
        self.runs: Counter[int] = Counter()

    def judge(self, case: Case, codes: tuple[str, ...] | None, *, hasty: bool = False) -> Trial:
        del hasty
        assert isinstance(case, Number)
        self.runs[case.value] += 1
        fails = self.runs[case.value] <= self.shows.get(case.value, 1_000)
        violations = (Violation(code="P1", slug="odd", message="m"),) if fails else ()
        return Trial(case, Outcome(fate=Fate.COMPLETED, reply=b""), Verdict(violations=violations), codes)

    def renew(self, *, thorough: bool = False) -> None:
        del thorough


def found(shows: dict[int, int], *trail: int, unsure: bool, until: float = math.inf) -> tuple[Case, Confirmation]:
    """What is taken of cases that shrinking kept; the steady form of a case is the number a hundred higher."""
    trials = tuple(Trial(Number(one), Outcome(fate=Fate.COMPLETED), None, None) for one in trail)
    shrunk = Shrunk(trials, executions=0, complete=True, unsure=unsure)

    def steady(case: Case) -> Case:
        assert isinstance(case, Number)
        return Number(case.value + 100)

    trial, confirmation = simplest(Bench(shows), shrunk, "P1/odd", None, steady, until=until)
    return trial.case, confirmation


def test_the_simplest_case_is_replayed_ten_times() -> None:
    assert found({}, 2, 1, unsure=False) == (Number(1), Confirmation(attempts=REPLAYS, repeated=REPLAYS))


def test_a_case_before_it_is_taken_if_the_simplest_does_not_repeat() -> None:
    assert found({1: REPLAYS - 1}, 2, 1, unsure=False)[0] == Number(2)


def test_of_cases_that_do_not_repeat_the_one_with_the_best_rate_is_taken() -> None:
    case, confirmation = found({1: 2, 2: 5, 3: 1}, 3, 2, 1, unsure=False)
    assert (case, confirmation.flaky) == (Number(2), True)


def test_once_unsure_the_steady_form_is_taken_and_replayed_more_often() -> None:
    many = Confirmation(attempts=REPLAYS_WHEN_UNSURE, repeated=REPLAYS_WHEN_UNSURE)
    assert found({}, 2, 1, unsure=True) == (Number(101), many)


def test_a_steady_form_that_does_not_fail_is_not_taken() -> None:
    assert found({101: 0}, 2, 1, unsure=True)[0] == Number(1)


def test_when_time_is_up_a_case_is_replayed_as_often_as_before_shrinking_and_no_other_is_looked_at() -> None:
    few = Confirmation(attempts=CONFIRMATIONS, repeated=CONFIRMATIONS)
    assert found({}, 2, 1, unsure=False, until=0.0) == (Number(1), few)
    assert found({1: 1}, 2, 1, unsure=False, until=0.0) == (Number(1), Confirmation(attempts=2, repeated=1))
