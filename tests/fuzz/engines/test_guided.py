from __future__ import annotations

import random
from collections.abc import Iterator
from typing import ClassVar

import pytest

from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines.guided import guided
from fuzz.engines.model import Case, Event, Failed, Finished, NewCoverage, Noted, Plan, Progress, Started
from fuzz.properties.model import Verdict
from tests.fuzz.engines.toy import (
    COMPLETED,
    LADDER,
    PASSED,
    Letters,
    LetterSpace,
    ToyHarness,
    letters,
    rungs,
    top_is_a_violation,
)


def run(harness: ToyHarness, plan: Plan, space: LetterSpace | None = None) -> list[Event]:
    return list(guided(harness, space or LetterSpace(), plan))


def test_coverage_leads_where_chance_would_not() -> None:
    # Chance needs 256**4 cases; each rung needs about 4 * 256 mutants of a case on the one below.
    events = run(ToyHarness(), Plan(seed=1, executions=30_000))
    assert any(isinstance(event, Failed) for event in events)


def test_every_failing_case_is_told_with_its_outcome() -> None:
    harness = ToyHarness(lambda _: (Outcome(fate=Fate.HUNG), None))
    failed = [event for event in run(harness, Plan(seed=1, executions=20)) if isinstance(event, Failed)]
    assert [event.outcome.fate for event in failed] == [Fate.HUNG] * 20
    assert [LetterSpace().decode(event.case) for event in failed] == harness.cases


def test_a_new_arm_is_told_with_the_case_that_reached_it() -> None:
    harness = ToyHarness()
    events = run(harness, Plan(seed=2, executions=3000))
    told = [event for event in events if isinstance(event, NewCoverage)]
    assert [event.arms for event in told] == list(range(1, len(told) + 1))
    assert [rungs(LetterSpace().decode(event.case)) + 1 for event in told] == [event.arms for event in told]


def test_seeds_are_run_first() -> None:
    seeds = (Letters((1, 2, 3, 4)), Letters((5, 6, 7, 8)))
    harness = ToyHarness()
    events = run(harness, Plan(seed=1, executions=5, seeds=seeds))
    assert harness.cases[:2] == list(seeds)
    assert events[0] == Started(engine="guided", seed=1, corpus=2)


def test_each_case_of_a_stage_is_dealt_once_in_between() -> None:
    class Staged(LetterSpace):
        left: ClassVar = [Letters((number,) * 4) for number in range(50, 60)]

        def deal(self, generator: random.Random) -> Case | None:
            return self.left.pop() if self.left else None

        def parts(self, case: Case) -> Iterator[Case]:
            yield from ()

    harness, stage = ToyHarness(), list(Staged.left)
    run(harness, Plan(seed=1, executions=60), Staged())
    places = [harness.cases.index(case) for case in stage]
    assert len(set(places)) == len(stage) and max(places) > len(stage)
    assert len(harness.cases) == 60


class Divided(LetterSpace):
    """A stage of one case that fails, and its parts: one that fails, too, and one that does not."""

    def __init__(self) -> None:
        self.left: list[Case] = [Letters((0, 0, 0, 1))]
        self.divided: list[Case] = []

    def deal(self, generator: random.Random) -> Case | None:
        return self.left.pop() if self.left else None

    def parts(self, case: Case) -> Iterator[Case]:
        self.divided.append(case)
        yield from (Letters((0, 0, 0, 2)), Letters((0, 0, 0, 3)))


def failing(*numbers: int) -> ToyHarness:
    """A harness in which the cases of `Divided` with these numbers fail."""

    def judge(case: Case) -> tuple[Outcome, Verdict | None]:
        failed = letters(case) in [(0, 0, 0, number) for number in numbers]
        return (Outcome(fate=Fate.CRASHED) if failed else COMPLETED), None if failed else PASSED

    return ToyHarness(judge)


def told(events: list[Event]) -> list[int]:
    return [letters(LetterSpace().decode(event.case))[-1] for event in events if isinstance(event, Failed)]


def test_a_case_of_the_stage_that_failed_is_told_after_its_parts_which_are_not_divided_again() -> None:
    harness, space = failing(1, 2), Divided()
    events = run(harness, Plan(seed=1, executions=60), space)
    dealt = harness.cases.index(Letters((0, 0, 0, 1)))
    assert sorted(letters(case)[-1] for case in harness.cases[dealt + 1 : dealt + 3]) == [2, 3]
    assert told(events)[:2] == [2, 1]
    assert space.divided == [Letters((0, 0, 0, 1))]


def test_a_case_of_the_stage_is_told_even_if_none_of_its_parts_fails_or_there_is_no_time_for_them() -> None:
    assert told(run(failing(1), Plan(seed=1, executions=60), Divided()))[0] == 1
    harness = failing(1)
    run(harness, Plan(seed=1, executions=60), Divided())
    dealt = harness.cases.index(Letters((0, 0, 0, 1)))
    assert told(run(failing(1, 2, 3), Plan(seed=1, executions=dealt + 1), Divided())) == [1]


def test_equal_seeds_choose_equal_cases() -> None:
    first, second, other = ToyHarness(), ToyHarness(), ToyHarness()
    run(first, Plan(seed=7, executions=500))
    run(second, Plan(seed=7, executions=500))
    run(other, Plan(seed=8, executions=500))
    assert first.cases == second.cases != other.cases


def test_the_budget_of_executions_is_kept_to_the_case() -> None:
    harness = ToyHarness()
    events = run(harness, Plan(seed=1, executions=123))
    assert len(harness.cases) == 123
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "all executions done"
    assert events[-1].progress.executions == 123


def test_the_budget_of_time_ends_the_run_and_progress_is_told_meanwhile() -> None:
    events = run(ToyHarness(), Plan(seed=1, seconds=0.6))
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "time is up"
    assert any(isinstance(event, Progress) for event in events)


def test_a_case_that_costs_a_worker_is_not_built_upon() -> None:
    def judge(case: Case) -> tuple[Outcome, Verdict | None]:
        return (Outcome(fate=Fate.CRASHED), None) if rungs(case) else top_is_a_violation(case)

    harness = ToyHarness(judge)
    seeds = (Letters(LADDER), Letters((0, 0, 0, 0)))
    events = run(harness, Plan(seed=1, executions=400, seeds=seeds))
    assert [letters(LetterSpace().decode(e.case)) for e in events if isinstance(e, NewCoverage)] == [(0, 0, 0, 0)]
    assert sum(1 for case in harness.cases if rungs(case) > 1) == 1


def test_a_violation_is_built_upon_since_its_worker_goes_on() -> None:
    events = run(ToyHarness(), Plan(seed=1, executions=1, seeds=(Letters(LADDER),)))
    assert [type(event) for event in events[1:3]] == [NewCoverage, Failed]


class _BrokenSpace(LetterSpace):
    def mutate(self, case: Case, generator: random.Random) -> Case:
        raise ValueError("a defect of the mutator")


def test_an_error_in_a_mutator_is_noted_once_and_the_run_goes_on() -> None:
    harness = ToyHarness()
    events = run(harness, Plan(seed=1, executions=300), _BrokenSpace())
    notes = [event.message for event in events if isinstance(event, Noted)]
    assert len(harness.cases) == 300
    assert len(notes) == 2
    assert "a defect of the mutator" in notes[0]
    assert "mutations failed" in notes[1]


def test_ctrl_c_ends_the_run_with_its_totals() -> None:
    def judge(case: Case) -> tuple[Outcome, Verdict | None]:
        if len(harness.cases) == 10:
            raise KeyboardInterrupt
        return top_is_a_violation(case)

    harness = ToyHarness(judge)
    last = run(harness, Plan(seed=1, executions=300))[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.progress.executions) == ("interrupted", 9)


def test_what_was_compared_and_checked_is_counted() -> None:
    last = run(ToyHarness(), Plan(seed=1, executions=40))[-1]
    assert isinstance(last, Finished)
    assert (last.progress.compared, last.progress.checked) == (40, {"P1": 40})


def test_closing_the_stream_ends_the_engine_within_one_case() -> None:
    harness = ToyHarness()
    events = guided(harness, LetterSpace(), Plan(seed=1))
    for event in events:
        if isinstance(event, NewCoverage):
            break
    ran = len(harness.cases)
    events.close()  # type: ignore[attr-defined]
    assert len(harness.cases) == ran
    with pytest.raises(StopIteration):
        next(events)
