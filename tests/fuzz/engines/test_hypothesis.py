from __future__ import annotations

import threading

import pytest
from hypothesis import strategies as st

from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines.hypothesis import hypothesis
from fuzz.engines.model import Case, Event, Failed, Finished, NewCoverage, Noted, Plan
from fuzz.properties.model import Verdict, Violation
from tests.fuzz.engines.toy import COMPLETED, PASSED, Letters, LetterSpace, ToyHarness, letters


def run(harness: ToyHarness, plan: Plan, space: LetterSpace | None = None) -> list[Event]:
    return list(hypothesis(harness, space or LetterSpace(), plan))


def failed(events: list[Event]) -> list[tuple[tuple[int, ...], Fate]]:
    return [(letters(LetterSpace().decode(e.case)), e.outcome.fate) for e in events if isinstance(e, Failed)]


@pytest.mark.parametrize("fate", [Fate.CRASHED, Fate.HUNG, Fate.OUT_OF_MEMORY, Fate.PANICKED])
def test_a_case_with_a_bad_fate_is_shrunk(fate: Fate) -> None:
    def judge(case: Case) -> tuple[Outcome, Verdict | None]:
        return (Outcome(fate=fate), None) if letters(case)[1] >= 100 else (COMPLETED, PASSED)

    events = run(ToyHarness(judge), Plan(seed=1, executions=250))
    assert failed(events) == [((0, 100, 0, 0), fate)]


def test_two_bugs_are_two_failures_and_the_search_goes_on_after_each() -> None:
    def judge(case: Case) -> tuple[Outcome, Verdict | None]:
        first, second, third, _ = letters(case)
        if first >= 50:
            return Outcome(fate=Fate.CRASHED), None
        if second >= 50:
            return COMPLETED, Verdict(violations=(Violation(code="P1", slug="high", message="too high"),))
        if third >= 200:
            return Outcome(fate=Fate.HUNG), None
        return COMPLETED, PASSED

    events = run(ToyHarness(judge), Plan(seed=1, executions=1500))
    assert sorted(failed(events)) == [
        ((0, 0, 200, 0), Fate.HUNG),
        ((0, 50, 0, 0), Fate.COMPLETED),
        ((50, 0, 0, 0), Fate.CRASHED),
    ]
    assert isinstance(events[-1], Finished)
    assert events[-1].progress.executions == 1500


def test_a_failure_that_is_still_being_shrunk_at_the_end_is_told() -> None:
    harness = ToyHarness(lambda _: (Outcome(fate=Fate.CRASHED), None))
    assert [fate for _, fate in failed(run(harness, Plan(seed=1, executions=1)))] == [Fate.CRASHED]


def test_a_failing_seed_is_told_as_it_is() -> None:
    harness = ToyHarness(lambda _: (Outcome(fate=Fate.HUNG), None))
    seeds = (Letters((9, 9, 9, 9)),)
    assert failed(run(harness, Plan(seed=1, executions=1, seeds=seeds))) == [((9, 9, 9, 9), Fate.HUNG)]


def test_equal_seeds_draw_equal_cases() -> None:
    first, second = ToyHarness(), ToyHarness()
    run(first, Plan(seed=3, executions=200))
    run(second, Plan(seed=3, executions=200))
    assert first.cases == second.cases


def test_the_search_goes_on_when_hypothesis_has_seen_everything() -> None:
    class Narrow(LetterSpace):
        def strategy(self) -> st.SearchStrategy[Case]:
            return st.just(Letters((1, 2, 3, 4)))

    events = run(ToyHarness(), Plan(seed=1, executions=20), Narrow())
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "all executions done"


def test_a_strategy_that_cannot_draw_ends_the_engine_with_a_note() -> None:
    class Broken(LetterSpace):
        def strategy(self) -> st.SearchStrategy[Case]:
            def draw(_: int) -> Case:
                raise ValueError("a defect of the strategy")

            return st.integers().map(draw)

    events = run(ToyHarness(), Plan(seed=1, executions=20), Broken())
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "nothing left to try"
    assert any(isinstance(event, Noted) and "a defect of the strategy" in event.message for event in events)


def test_new_coverage_is_told() -> None:
    assert any(isinstance(event, NewCoverage) for event in run(ToyHarness(), Plan(seed=1, executions=3)))


def test_no_thread_is_left_behind() -> None:
    events = hypothesis(ToyHarness(), LetterSpace(), Plan(seed=1))
    for event in events:
        if isinstance(event, NewCoverage):
            break
    events.close()  # type: ignore[attr-defined]
    assert "hypothesis" not in {thread.name for thread in threading.enumerate()}
