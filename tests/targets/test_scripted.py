"""The scripted executor as a test double."""

from __future__ import annotations

import time

import pytest

from targets import registry
from targets.contract import (
    Detokenizes,
    Executor,
    FinishReason,
    Output,
    ReportsResources,
    Request,
    RequestRejected,
    SamplingParams,
)
from targets.errors import UsageError
from targets.scripted import FaultAt, Script, ScriptedExecutor


def request(name: str, **sampling: object) -> Request:
    return Request(id=name, prompt=(1, 2), sampling=SamplingParams(**{"max_tokens": 3, **sampling}))  # type: ignore[arg-type]


def run(executor: ScriptedExecutor) -> list[Output]:
    events: list[Output] = []
    while step := executor.step():
        events += step
    return events


def tokens(events: list[Output], name: str, index: int = 0) -> list[int | None]:
    return [event.token_id for event in events if (event.request_id, event.index) == (name, index)]


def test_it_is_an_executor_that_reports_and_detokenizes() -> None:
    executor = ScriptedExecutor(Script())
    assert isinstance(executor, Executor)
    assert isinstance(executor, ReportsResources)
    assert isinstance(executor, Detokenizes)


def test_each_request_gets_its_own_answer_and_others_the_common_one() -> None:
    executor = ScriptedExecutor(Script(answers={"a": (5, 6, 7)}, answer=(9,)))
    executor.submit(request("a"))
    executor.submit(request("b", n=2))
    events = run(executor)
    assert tokens(events, "a") == [5, 6, 7]
    assert tokens(events, "b", 0) == tokens(events, "b", 1) == [9, 9, 9]
    assert "".join(event.text for event in events if event.request_id == "a") == executor.detokenize((5, 6, 7))


def test_every_sample_ends_once_and_with_its_usage() -> None:
    executor = ScriptedExecutor(Script())
    executor.submit(request("a", n=2))
    last = [event for event in run(executor) if event.finish_reason]
    assert [event.index for event in last] == [0, 1]
    assert all(event.usage is not None and event.usage.completion_tokens == 3 for event in last)


@pytest.mark.parametrize(
    ("sampling", "expected", "reason"),
    [
        ({}, [8, 0], FinishReason.STOP),
        ({"ignore_eos": True}, [8, 0, 8], FinishReason.LENGTH),
        ({"stop_token_ids": (8,)}, [8], FinishReason.STOP),
        ({"max_tokens": 1}, [8], FinishReason.LENGTH),
    ],
)
def test_an_answer_ends_as_the_options_say(sampling: dict[str, object], expected: list[int], reason: str) -> None:
    executor = ScriptedExecutor(Script(answer=(8, 0)))
    executor.submit(request("a", **sampling))
    events = run(executor)
    assert tokens(events, "a") == expected
    assert events[-1].finish_reason == reason


def test_a_step_serves_at_most_the_batch_and_the_rest_waits() -> None:
    executor = ScriptedExecutor(Script(), max_batch=2)
    for name in "abc":
        executor.submit(request(name))
    assert (executor.resources().running, executor.resources().waiting) == (2, 1)
    assert [event.request_id for event in executor.step()] == ["a", "b"]
    assert tokens(run(executor), "c") == [4, 8, 15]
    assert executor.step() == []


def test_an_abort_ends_the_samples_with_the_next_step_and_frees_the_id() -> None:
    executor = ScriptedExecutor(Script())
    executor.submit(request("a", n=2))
    executor.step()
    executor.abort("a")
    executor.abort("a")
    executor.abort("never seen")
    events = executor.step()
    assert [event.finish_reason for event in events] == [FinishReason.ABORT] * 2
    assert events[0].usage is not None
    assert events[0].usage.completion_tokens == 1
    executor.submit(request("a"))


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (Request(id="a", prompt=()), "prompt"),
        (Request(id="a", prompt=(256,)), r"prompt\[0\]"),
        (request("a", logprobs=2), "sampling.logprobs"),
        (request("a", stop=("x",)), "sampling.stop"),
        (request("taken"), "id"),
    ],
)
def test_a_request_outside_the_domain_is_rejected(bad: Request, field: str) -> None:
    executor = ScriptedExecutor(Script())
    executor.submit(request("taken"))
    with pytest.raises(RequestRejected, match=field):
        executor.submit(bad)


def test_text_and_tokens_convert_both_ways() -> None:
    executor = ScriptedExecutor(Script())
    assert executor.tokenize(executor.detokenize((3, 200))) == (3, 200)
    with pytest.raises(RequestRejected, match="text"):
        executor.tokenize("hello")


@pytest.mark.parametrize("planned", [FaultAt("exception", request="b"), FaultAt("exception", request="b", token=1)])
def test_a_fault_strikes_its_request_and_no_other(planned: FaultAt) -> None:
    executor = ScriptedExecutor(Script(faults=(planned,)))
    executor.submit(request("a"))
    assert len(executor.step()) == 1
    if planned.token is None:
        with pytest.raises(ValueError, match="on purpose"):
            executor.submit(request("b"))
        return
    executor.submit(request("b"))
    assert len(executor.step()) == 2
    with pytest.raises(ValueError, match="on purpose"):
        executor.step()


def test_a_fault_strikes_at_its_step() -> None:
    executor = ScriptedExecutor(Script(faults=(FaultAt("exception", step=1),)))
    executor.submit(request("a"))
    executor.step()
    with pytest.raises(ValueError, match="on purpose"):
        executor.step()


def test_steps_take_the_scripted_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    executor = ScriptedExecutor(Script(latency=(0.5, 0.1)))
    executor.submit(request("a"))
    run(executor)
    assert slept == [0.5, 0.1, 0.1]


@pytest.mark.parametrize("settings", [{}, {"request": "a", "step": 1}])
def test_a_fault_without_one_moment_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="either a request or a step"):
        FaultAt("exception", **settings)  # type: ignore[arg-type]


def test_an_unknown_fault_in_a_script_is_refused() -> None:
    with pytest.raises(UsageError, match="sigsegv"):
        FaultAt("sigsev", step=0)


@pytest.mark.parametrize("answer", [(), (256,), (-1,)])
def test_an_answer_outside_the_vocabulary_is_refused(answer: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"0\.\.255"):
        ScriptedExecutor(Script(answer=answer))


def test_it_is_found_by_name_and_opens_with_its_knob() -> None:
    target = registry.find("scripted")
    executor = target.open(target.load("cpu", "float32"), max_batch=1)
    executor.submit(request("a"))
    executor.submit(request("b"))
    assert len(executor.step()) == 1
