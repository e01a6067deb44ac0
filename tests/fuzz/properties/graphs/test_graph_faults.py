"""G13 holds on the reference runner, and sees a runner that takes a fault badly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.registry import find
from targets.contract import FaultPoint, InjectsFaults
from targets.graph.case import GraphCase
from targets.graph.config import Channel, Edge, EntryConfig, ExitConfig, GraphConfig, Node, Reducer, ToolConfig
from targets.graph.result import FailureKind, RunStatus
from targets.reference.faults import RequestFailed
from targets.reference.graph import TARGET, GraphRunner, execution, handlers
from targets.reference.graph.journey import RunError

Signatures = Callable[[GraphCase], set[str]]


def two_tools(retries: int = 0) -> GraphCase:
    """An entry, two tools in a row, an exit."""
    tool = ToolConfig(tool="t", writes="log")
    nodes = (
        Node(id="in", config=EntryConfig()),
        Node(id="a", config=tool, retries=retries),
        Node(id="b", config=tool, retries=retries),
        Node(id="out", config=ExitConfig()),
    )
    edges = (Edge(source="in", target="a"), Edge(source="a", target="b"), Edge(source="b", target="out"))
    state = {"log": Channel(reducer=Reducer.APPEND)}
    return GraphCase(config=GraphConfig(nodes=nodes, edges=edges, entry=("in",), exits=("out",), state=state))


@pytest.fixture
def signatures() -> Signatures:
    def judge(case: GraphCase) -> set[str]:
        lab = GraphLab(TARGET)
        lab.begin(case)
        found = {violation.signature for violation in find("G13").check(lab, case)}
        assert lab.tally.looked
        lab.close()
        return found

    return judge


@pytest.mark.parametrize("retries", [0, 1])
def test_the_reference_runner_keeps_a_fault_to_one_run(signatures: Signatures, retries: int) -> None:
    assert signatures(two_tools(retries)) == set()


def test_a_tool_that_fails_ends_the_run_with_a_typed_failure() -> None:
    runner, case = GraphRunner(), two_tools()
    assert isinstance(runner, InjectsFaults)

    runner.inject(FaultPoint("tool", 2))
    result = runner.run(case.config, case.inputs, case.script)

    assert result.failure is not None
    assert (result.status, result.failure.kind, result.failure.node) == (RunStatus.FAILED, FailureKind.NODE, ("b",))


def test_a_retry_gets_over_a_tool_that_fails_once() -> None:
    runner, case = GraphRunner(), two_tools(retries=1)

    runner.inject(FaultPoint("tool", 2))

    assert runner.run(case.config, case.inputs, case.script).status is RunStatus.COMPLETED


def test_a_checkpoint_that_cannot_be_kept_fails_the_pause() -> None:
    runner, case = GraphRunner(), two_tools()

    runner.inject(FaultPoint("checkpoint"))
    result = runner.pause(case.config, case.inputs, case.script, 1)

    assert result.failure is not None
    assert (result.failure.kind, result.checkpoint) == (FailureKind.CHECKPOINT, "")


def test_g13_sees_a_fault_that_leaves_the_run(monkeypatch: pytest.MonkeyPatch, signatures: Signatures) -> None:
    async def bare(attempt: handlers.Attempt) -> RunError | None:
        await handlers.perform(attempt)
        return None

    monkeypatch.setattr(execution, "try_attempt", bare)

    assert signatures(two_tools()) == {"G13/raised-RequestFailed"}


def test_g13_sees_a_failed_tool_that_counts_as_done(monkeypatch: pytest.MonkeyPatch, signatures: Signatures) -> None:
    perform = handlers.perform

    async def hiding(attempt: handlers.Attempt) -> None:
        try:
            await perform(attempt)
        except RequestFailed:
            return

    monkeypatch.setattr(execution, "perform", hiding)

    assert signatures(two_tools()) == {"G13/state-differs"}


def test_g13_sees_what_a_fault_leaves_to_the_next_run(monkeypatch: pytest.MonkeyPatch, signatures: Signatures) -> None:
    consult: Any = handlers._consult
    left: list[str] = []

    async def remembering(*arguments: Any, **options: Any) -> Any:
        try:
            value = await consult(*arguments, **options)
        except RequestFailed:
            left.append("half an answer")
            raise
        arguments[0].writes.extend((arguments[2], text) for text in left)
        return value

    monkeypatch.setattr(handlers, "_consult", remembering)

    assert "G13/next-run-differs" in signatures(two_tools())
