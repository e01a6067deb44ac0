"""A replay runs once where nothing is left to chance, and where something is, until the failure shows or is gone."""

from __future__ import annotations

import msgspec
import pytest

from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines.model import Case, Trial
from fuzz.findings.model import MOST_RUNS, Confirmation
from fuzz.findings.regression import Regression
from fuzz.findings.replay import TRIES_WHEN_TIME_DECIDES, Replay, replay, tries
from fuzz.properties.model import Verdict, Violation
from targets.trace import Trace

REGRESSION = Regression(
    finding="0123456789ab",
    about="a",
    signature="H3/canary-fails",
    target="t",
    device="cpu",
    dtype="float32",
    codes=("H3",),
    case=msgspec.Raw(b"{}"),
)


class Bench:
    """Runs show these slugs of H3 one after another; an empty one is no failure."""

    def __init__(self, *slugs: str) -> None:
        self.slugs = list(slugs)
        self.renewals = 0

    def judge(self, case: Case, codes: tuple[str, ...] | None, *, hasty: bool = False) -> Trial:
        del hasty
        slug = self.slugs.pop(0)
        violations = (Violation(code="H3", slug=slug, message="m"),) if slug else ()
        return Trial(case, Outcome(fate=Fate.COMPLETED, reply=b""), Verdict(violations=violations), codes)

    def renew(self, *, thorough: bool = False) -> None:
        del thorough
        self.renewals += 1


def replayed(*slugs: str, times: int = 1, tries: int = 1) -> Replay:
    bench = Bench(*slugs)
    result = replay(bench, Trace(arrivals=()), REGRESSION, times, tries)
    assert bench.renewals == result.runs == len(slugs), "each run has a fresh worker, and none is left"
    return result


def test_one_try_is_one_run() -> None:
    result = replayed("")
    assert (result.failed, result.same) == (0, 0)


def test_a_replay_ends_with_the_first_run_that_fails_as_it_should() -> None:
    result = replayed("", "canary-fails", tries=3)
    assert (result.failed, result.same, result.signatures) == (1, 1, ("H3/canary-fails",))


def test_another_failure_is_shown_only_if_the_right_one_does_not_come() -> None:
    result = replayed("canary-changed", "canary-changed", "", tries=3)
    assert (result.failed, result.same, result.signatures) == (2, 0, ("H3/canary-changed",))


def test_each_of_several_replays_has_its_own_tries() -> None:
    result = replayed("canary-fails", "", "canary-fails", "", "", times=3, tries=2)
    assert (result.times, result.failed, result.same) == (3, 2, 2)


def test_a_finding_that_always_repeats_is_tried_once_unless_time_decides_in_its_case() -> None:
    always = Confirmation(attempts=10, repeated=10)
    assert tries(always, timed=False) == tries(None, timed=False) == 1
    assert tries(always, timed=True) == tries(None, timed=True) == TRIES_WHEN_TIME_DECIDES


@pytest.mark.parametrize(("repeated", "runs"), [(9, 3), (5, 10), (2, MOST_RUNS), (0, MOST_RUNS)])
def test_a_flaky_finding_is_tried_until_a_miss_is_one_in_a_thousand(repeated: int, runs: int) -> None:
    assert Confirmation(attempts=10, repeated=repeated).runs_to_show == runs


def test_a_finding_without_confirmation_is_tried_once() -> None:
    assert Confirmation(attempts=0, repeated=0).runs_to_show == 1
