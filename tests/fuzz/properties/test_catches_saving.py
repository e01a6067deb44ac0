"""Breaking saved and forked state of the reference executor is seen by the property about it."""

from __future__ import annotations

from typing import Any

import pytest

from targets.contract import RequestRejected
from targets.reference import HASH, forks
from targets.reference import executor as engine
from targets.reference.executor import ReferenceExecutor

PROMPT = tuple(range(40, 54))


def test_p34_accepts_forks_and_detours_of_a_case_in_full_swing(
    make_request: Any, make_trace: Any, signatures: Any
) -> None:
    trace = make_trace(
        make_request("a", max_tokens=8),
        make_request("b", prompt=PROMPT[:9], temperature=1.0, seed=4, max_tokens=9, json_schema={"type": "string"}),
        make_request("c", prompt=PROMPT[3:], max_tokens=6, frequency_penalty=1.5),
        speculative=2,
    )

    assert signatures(trace, "P34", "P12") == set()


def test_p34_sees_a_state_that_later_steps_change(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(ReferenceExecutor, "_copied", lambda _self, state: state)

    assert signatures(make_trace(make_request(max_tokens=6)), "P34") == {"P34/unfinished"}


def test_p34_sees_a_block_that_parent_and_fork_both_write_to(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    place = forks.place

    def careless(sequence: Any, twin: Any, scheduler: Any, pool: Any, settings: Any, copy_block: Any) -> None:
        place(sequence, twin, scheduler, pool, settings, copy_block)
        shared = sequence.blocks[: len(twin.blocks)]
        for block in shared[-1:]:
            pool.retain(block)
        pool.release(twin.blocks[-1])
        twin.blocks = shared

    monkeypatch.setattr(engine, "place", careless)
    trace = make_trace(make_request(prompt=PROMPT[:6], temperature=2.0, seed=3, max_tokens=8, ignore_eos=True))

    found = signatures(trace, "P34")

    assert found & {"P34/parent-differs", "P34/fork-sees-its-parent"}


def test_a_fork_goes_on_as_its_parent_and_leaves_no_block_behind(make_request: Any) -> None:
    executor: Any = HASH.open(HASH.load("cpu", "float32"))
    executor.submit(make_request("a", max_tokens=8, ignore_eos=True))
    tokens: dict[str, list[int]] = {"a": [], "b": []}
    for step in range(12):
        if step == 4:
            executor.fork("a", "b")
        for event in executor.step():
            tokens[event.request_id] += [] if event.token_id is None else [event.token_id]

    assert len(tokens["b"]) == 4
    assert tokens["a"][4:] == tokens["b"]
    resources = executor.resources()
    assert resources.free_blocks + resources.cached_blocks == resources.total_blocks


def test_a_fork_that_has_no_room_is_computed_again(make_request: Any) -> None:
    executor: Any = HASH.open(HASH.load("cpu", "float32"), max_batch=1)
    executor.submit(make_request("a", max_tokens=6, ignore_eos=True))
    executor.step()
    executor.fork("a", "b")
    events = [event for _ in range(20) for event in executor.step()]

    tokens = {name: [e.token_id for e in events if e.request_id == name and e.token_id is not None] for name in "ab"}
    assert tokens["a"] == tokens["b"]
    assert len(tokens["b"]) == 5


def test_a_fork_needs_a_request_that_runs_and_an_id_that_is_free(make_request: Any) -> None:
    executor: Any = HASH.open(HASH.load("cpu", "float32"))
    executor.submit(make_request("a"))

    with pytest.raises(RequestRejected, match="request_id"):
        executor.fork("unknown", "b")
    with pytest.raises(RequestRejected, match="fork_id"):
        executor.fork("a", "a")
