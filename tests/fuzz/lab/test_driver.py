"""A run is written down as it happened, whatever the executor does."""

from __future__ import annotations

from typing import Any

import pytest

from targets.contract import FinishReason, Output, Resources
from targets.trace import Arrival, Defect


def test_tokens_text_and_ending_are_recorded(make_lab: Any, make_request: Any, make_trace: Any) -> None:
    recording = make_lab().record(make_trace(make_request()))

    sample = recording.answers["r"].samples[0]
    assert len(sample.tokens) == len(sample.steps) == 4
    assert len(sample.text) == 4
    assert sample.finish_reason is FinishReason.LENGTH
    assert recording.sound


def test_the_clock_jumps_over_idle_time(make_lab: Any, make_request: Any, make_trace: Any) -> None:
    late = Arrival(request=make_request("late"), step=90_000)

    recording = make_lab().record(make_trace(make_request(), late))

    assert recording.steps == 8
    assert recording.answers["late"].samples[0].steps[0] == 90_000


def test_a_request_is_submitted_before_it_is_aborted_in_the_same_step(
    make_lab: Any, make_request: Any, make_trace: Any
) -> None:
    recording = make_lab().record(make_trace(Arrival(request=make_request(), step=2, abort=2)))

    sample = recording.answers["r"].samples[0]
    assert (sample.finish_reason, sample.tokens) == (FinishReason.ABORT, ())


def test_aborting_an_unknown_request_is_passed_on_and_not_recorded(
    make_lab: Any, make_request: Any, make_trace: Any
) -> None:
    recording = make_lab().record(make_trace(Arrival(request=make_request(), step=2, abort=1)))

    assert recording.answers["r"].aborted is None
    assert recording.answers["r"].samples[0].complete


def test_an_exception_in_a_step_ends_the_run_and_names_the_place(
    make_lab: Any, make_request: Any, make_trace: Any, toy: Any
) -> None:
    class Broken(toy):  # type: ignore[misc] # a fixture has no static type
        def choose(self, tokens: Any) -> int:
            if len(tokens) == 5:
                raise IndexError("block 9 of 8")
            return int(super().choose(tokens))

    recording = make_lab(Broken).record(make_trace(make_request()))

    assert recording.failure is not None
    assert recording.failure.slug == "raised-IndexError-test_driver.py:choose"
    assert (recording.failure.call, recording.failure.step) == ("step", 2)
    assert len(recording.answers["r"].samples[0].tokens) == 2


def test_running_out_of_memory_is_left_to_containment(
    make_lab: Any, make_request: Any, make_trace: Any, toy: Any
) -> None:
    class Hungry(toy):  # type: ignore[misc] # a fixture has no static type
        def step(self) -> Any:
            raise MemoryError

    lab = make_lab(Hungry)

    with pytest.raises(MemoryError):
        lab.record(make_trace(make_request()))


def test_a_step_that_returns_nothing_too_early_is_stuck(
    make_lab: Any, make_request: Any, make_trace: Any, toy: Any
) -> None:
    class Stuck(toy):  # type: ignore[misc] # a fixture has no static type
        def step(self) -> list[Output]:
            return []

    recording = make_lab(Stuck).record(make_trace(make_request()))

    assert recording.stuck
    assert recording.steps == 1


def test_an_endless_run_is_cut_at_its_bound(make_lab: Any, make_request: Any, make_trace: Any, toy: Any) -> None:
    class Endless(toy):  # type: ignore[misc] # a fixture has no static type
        def step(self) -> list[Output]:
            return [Output(request_id="r")]

    recording = make_lab(Endless).record(make_trace(make_request()))

    assert recording.exhausted
    assert recording.steps == recording.bound == 64 + 8 * (3 + 4)


def test_events_after_the_end_are_counted(make_lab: Any, make_request: Any, make_trace: Any, toy: Any) -> None:
    class Talkative(toy):  # type: ignore[misc] # a fixture has no static type
        def step(self) -> list[Output]:
            return list(super().step()) or [Output(request_id="r"), Output(request_id="stranger")]

    recording = make_lab(Talkative).record(make_trace(make_request()))

    assert recording.answers["r"].samples[0].late == 1
    assert len(recording.strays) == 1


def test_an_invalid_request_that_is_accepted_is_aborted_at_once(
    make_lab: Any, make_request: Any, make_trace: Any, toy: Any
) -> None:
    class Careless(toy):  # type: ignore[misc] # a fixture has no static type
        def submit(self, request: Any) -> None:
            self.running[request.id] = (request, [])

    defect = Defect(name="huge", field="sampling.max_tokens", value=str(2**63))

    recording = make_lab(Careless).record(make_trace(Arrival(request=make_request(), defect=defect)))

    assert recording.answers["r"].accepted
    assert recording.answers["r"].breaches
    assert recording.steps == 0


def test_a_refusal_is_recorded_with_what_it_says(make_lab: Any, make_request: Any, make_trace: Any) -> None:
    defect = Defect(name="nan", field="sampling.top_p", value="nan")

    recording = make_lab().record(make_trace(Arrival(request=make_request(), defect=defect)))

    rejection = recording.answers["r"].rejection
    assert rejection is not None
    assert (rejection.field, rejection.value) == ("sampling.top_p", "nan")


def test_accounting_that_cannot_be_is_kept(make_lab: Any, make_request: Any, make_trace: Any, toy: Any) -> None:
    class Overdrawn(toy):  # type: ignore[misc] # a fixture has no static type
        def resources(self) -> Resources:
            return Resources(total_blocks=8, free_blocks=9, cached_blocks=0, running=0, waiting=0)

    recording = make_lab(Overdrawn).record(make_trace(make_request()))

    assert recording.overdrawn is not None
    assert recording.overdrawn.free_blocks == 9
