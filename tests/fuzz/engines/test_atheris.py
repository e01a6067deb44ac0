from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines import atheris as engine
from fuzz.engines.atheris import atheris
from fuzz.engines.choice import has_atheris
from fuzz.engines.model import Case, Event, Failed, Finished, NewCoverage, Noted, Plan
from fuzz.properties.model import Verdict
from tests.fuzz.engines.toy import LADDER, Letters, LetterSpace, ToyHarness, letters, rungs, top_is_a_violation

pytestmark = pytest.mark.skipif(not has_atheris(), reason="atheris has no wheel for this platform")


def run(harness: ToyHarness, plan: Plan, space: LetterSpace | None = None) -> list[Event]:
    return list(atheris(harness, space or LetterSpace(), plan))


def test_the_arms_of_the_target_guide_libfuzzer() -> None:
    # Chance needs 256**3 cases for the third rung.
    harness = ToyHarness()
    run(harness, Plan(seed=1, executions=25_000))
    assert max(rungs(case) for case in harness.cases) >= 3


def test_crashes_and_hangs_do_not_end_the_campaign() -> None:
    def judge(case: Case) -> tuple[Outcome, Verdict | None]:
        fate = (Fate.CRASHED, Fate.HUNG, Fate.COMPLETED)[letters(case)[0] % 3]
        return Outcome(fate=fate), None

    harness = ToyHarness(judge)
    events = run(harness, Plan(seed=1, executions=500))
    assert len(harness.cases) == 500
    assert {event.outcome.fate for event in events if isinstance(event, Failed)} == {Fate.CRASHED, Fate.HUNG}


def test_seeds_take_part() -> None:
    harness = ToyHarness()
    events = run(harness, Plan(seed=1, executions=30, seeds=(Letters(LADDER),)))
    assert any(case == Letters(LADDER) for case in harness.cases)
    assert any(isinstance(event, NewCoverage) and event.arms == 5 for event in events)


class _BrokenSpace(LetterSpace):
    def mutate(self, case: Case, generator: random.Random) -> Case:
        raise ValueError("a defect of the mutator")


def test_an_error_in_a_mutator_is_noted_and_the_run_goes_on() -> None:
    harness = ToyHarness()
    events = run(harness, Plan(seed=1, executions=200), _BrokenSpace())
    assert len(harness.cases) == 200
    notes = [event.message for event in events if isinstance(event, Noted)]
    assert len(notes) == 1
    assert "a defect of the mutator" in notes[0]


class _HugeSpace(LetterSpace):
    def crossover(self, first: Case, second: Case, generator: random.Random) -> Case:
        return Letters((7,) * 800_000)


def test_a_mutant_that_is_too_large_is_dropped() -> None:
    harness = ToyHarness(lambda case: top_is_a_violation(Letters(letters(case)[:4])))
    run(harness, Plan(seed=1, executions=60), _HugeSpace())
    assert len(harness.cases) == 60
    assert {len(letters(case)) for case in harness.cases} == {4}


class _DyingSpace(LetterSpace):
    def generate(self, generator: random.Random) -> Case:
        os._exit(3)


def test_a_child_that_ends_ends_the_engine_with_a_note() -> None:
    events = run(ToyHarness(), Plan(seed=1, executions=200), _DyingSpace())
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "nothing left to try"
    assert any(isinstance(event, Noted) and "libFuzzer ended by itself" in event.message for event in events)


class _StuckSpace(LetterSpace):
    def generate(self, generator: random.Random) -> Case:
        time.sleep(600)
        return super().generate(generator)


def test_a_child_that_is_stuck_ends_the_engine_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PATIENCE", 0.5)
    events = run(ToyHarness(), Plan(seed=1, executions=200), _StuckSpace())
    assert any(isinstance(event, Noted) and "gave no case" in event.message for event in events)


def test_ctrl_c_ends_the_run_with_its_totals() -> None:
    def judge(case: Case) -> tuple[Outcome, Verdict | None]:
        if len(harness.cases) == 10:
            raise KeyboardInterrupt
        return top_is_a_violation(case)

    harness = ToyHarness(judge)
    last = run(harness, Plan(seed=1, executions=300))[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.progress.executions) == ("interrupted", 9)


def test_neither_process_nor_folder_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    events = atheris(ToyHarness(), LetterSpace(), Plan(seed=1))
    for event in events:
        if isinstance(event, NewCoverage):
            break
    assert list(tmp_path.iterdir())
    events.close()  # type: ignore[attr-defined]
    assert not list(tmp_path.iterdir())
    assert "atheris_process" not in _command_lines_of_children()


def _command_lines_of_children() -> str:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return " ".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in children)
