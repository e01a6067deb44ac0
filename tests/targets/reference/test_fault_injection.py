"""Faults on demand: the injector, and what they turn into in the reference executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from targets.contract import Executor, FaultPoint, FinishReason, InjectsFaults, Output, Request, SamplingParams
from targets.errors import UsageError
from targets.reference import HASH
from targets.reference.faults import EXECUTOR_POINTS, FaultInjector, RequestFailed
from targets.reference.model.batch import LanguageModel

Events = dict[tuple[str, int], list[Output]]
Play = Callable[..., Events]
FIRST, SECOND = tuple(range(40, 54)), tuple(range(90, 103))


def ask(name: str, prompt: tuple[int, ...], **options: Any) -> Request:
    sampling = SamplingParams(**{"temperature": 0.0, "ignore_eos": True, **options})
    return Request(id=name, prompt=prompt, sampling=sampling)


def with_fault(model: LanguageModel, fault: FaultPoint, **knobs: Any) -> Executor:
    executor: Executor = HASH.open(model, **knobs)
    cast("InjectsFaults", executor).inject(fault)
    return executor


def tokens_of(events: list[Output]) -> list[int]:
    return [event.token_id for event in events if event.token_id is not None]


def test_the_executor_tells_its_fault_points(hash_model: LanguageModel) -> None:
    executor = HASH.open(hash_model)

    assert isinstance(executor, InjectsFaults)
    assert executor.fault_points() == dict.fromkeys(EXECUTOR_POINTS, 0)


def test_a_fault_strikes_once_at_its_pass() -> None:
    injector = FaultInjector(["memory"])
    injector.check("memory")
    injector.arm(FaultPoint("memory", 2))
    injector.check("memory")

    with pytest.raises(RequestFailed, match="memory failed"):
        injector.check("memory")
    injector.check("memory")
    assert injector.passed == {"memory": 4}


def test_a_fault_that_is_withdrawn_does_not_strike() -> None:
    injector = FaultInjector(["memory"])
    injector.arm(FaultPoint("memory"))
    injector.arm(None)

    injector.check("memory")


def test_one_row_is_spoiled() -> None:
    injector, rows = FaultInjector(["logits"]), np.zeros((3, 2))
    injector.arm(FaultPoint("logits", 2))

    injector.spoil("logits", rows)

    assert np.isnan(rows).any(axis=1).tolist() == [False, True, False]


def test_an_unknown_point_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="coffee"):
        FaultInjector(EXECUTOR_POINTS).arm(FaultPoint("coffee"))


def test_an_occurrence_counts_from_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        FaultPoint("logits", 0)


@pytest.mark.parametrize("point", ["allocation", "logits", "detokenize"])
def test_the_request_that_is_hit_ends_with_an_error_and_its_neighbour_as_ever(
    hash_model: LanguageModel, play: Play, point: str
) -> None:
    requests = ask("a", FIRST, max_tokens=6), ask("b", SECOND, max_tokens=6)
    usual = play(HASH.open(hash_model), *requests)

    events = play(with_fault(hash_model, FaultPoint(point, 2)), *requests)

    (hit,) = [name for name, own in events.items() if own[-1].finish_reason is FinishReason.ERROR]
    (other,) = usual.keys() - {hit}
    assert events[hit][-1].error
    assert tokens_of(events[hit]) == tokens_of(usual[hit])[: len(tokens_of(events[hit]))]
    assert tokens_of(events[other]) == tokens_of(usual[other])


def test_a_slow_device_changes_nothing(hash_model: LanguageModel, play: Play) -> None:
    request = ask("a", FIRST, max_tokens=3)

    slow = play(with_fault(hash_model, FaultPoint("device-slow", 2)), request)

    assert slow == play(HASH.open(hash_model), request)


@pytest.mark.parametrize("occurrence", range(1, 12))
def test_all_blocks_come_back_wherever_memory_fails(hash_model: LanguageModel, play: Play, occurrence: int) -> None:
    executor = with_fault(hash_model, FaultPoint("allocation", occurrence), speculative=4)

    play(executor, ask("a", FIRST, max_tokens=8, n=2, temperature=1.0), ask("b", SECOND, max_tokens=8))

    now = executor.resources()  # type: ignore[attr-defined] # the reference executor reports them
    assert (now.free_blocks + now.cached_blocks, now.running, now.waiting) == (now.total_blocks, 0, 0)
