"""Graph cases as data, scripted replies, and the virtual clock."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from targets.codec import decode, encode
from targets.graph.case import ConfigDefect, GraphCase, Patch, document_of
from targets.graph.clock import StalledError, VirtualLoop, spend
from targets.graph.config import Edge, EntryConfig, ExitConfig, GraphConfig, Node
from targets.graph.script import NodeReplies, Reply, Script, answer, reply_for
from targets.trace import Trace

CONFIG = GraphConfig(
    nodes=(Node(id="in", config=EntryConfig()), Node(id="out", config=ExitConfig())),
    edges=(Edge(source="in", target="out"),),
    entry=("in",),
    exits=("out",),
)


def with_patches(*patches: Patch) -> Any:
    return document_of(GraphCase(config=CONFIG, defect=ConfigDefect(name="test", patches=patches)))


def test_a_graph_case_is_told_from_a_trace_by_its_tag() -> None:
    case = GraphCase(config=CONFIG)
    kind: Any = GraphCase | Trace
    assert decode(encode(case), kind) == case
    assert isinstance(decode(encode(Trace(arrivals=())), kind), Trace)


def test_a_defect_changes_the_document_and_not_the_config() -> None:
    assert with_patches(Patch(path=("edges", 0, "target"), value="x"))["edges"][0]["target"] == "x"
    assert "entry" not in with_patches(Patch(path=("entry",), remove=True))
    assert with_patches(Patch(path=(), value=7)) == 7
    assert CONFIG.edges[0].target == "out"


def test_copies_are_numbered() -> None:
    node = {"id": "n{i}", "config": {"type": "exit"}}
    nodes = with_patches(Patch(path=("nodes",), value=node, copies=3))["nodes"]
    assert [found["id"] for found in nodes] == ["in", "out", "n0", "n1", "n2"]


def test_a_defect_without_a_place_says_so() -> None:
    with pytest.raises(ValueError, match=r"no place 'edges\.7\.target'"):
        with_patches(Patch(path=("edges", 7, "target"), value="x"))


def test_replies_are_used_in_turn() -> None:
    script = Script(nodes=(NodeReplies(node=("a", "b"), replies=(Reply(value=1), Reply(value=2))),))
    assert [reply_for(script, ("a", "b"), visit).value for visit in range(3)] == [1, 2, 1]
    assert reply_for(script, ("b",), 0) == Reply()


def test_the_default_answer_depends_on_every_character_asked() -> None:
    assert answer(Reply(), "one") != answer(Reply(), "onf")
    assert answer(Reply(value=0), "one") == 0
    assert isinstance(answer(Reply(), "\ud800"), str)


def test_waiting_on_the_virtual_clock_costs_no_time() -> None:
    async def wait() -> float:
        await asyncio.sleep(86_400)
        spend(5.0)
        return asyncio.get_running_loop().time()

    loop = VirtualLoop()
    assert loop.run_until_complete(wait()) == pytest.approx(86_405)
    loop.close()


def test_a_run_that_can_never_end_is_an_error_instead_of_a_hang() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    loop = VirtualLoop()
    task = loop.create_task(wait())
    with pytest.raises(StalledError):
        loop.run_until_complete(task)
    task.cancel()
    loop.run_until_complete(asyncio.wait({task}))
    loop.close()
