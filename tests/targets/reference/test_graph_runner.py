"""The reference graph runner."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from targets import registry
from targets.graph.case import GraphCase
from targets.graph.config import GraphConfig
from targets.graph.contract import CancelsGraphs, ForksGraphs, GraphRejected, ResumesGraphs, RunsGraphs, RunsTogether
from targets.graph.result import FailureKind, GraphResult, Outcome, RunStatus
from targets.graph.script import GraphInputs, NodeReplies, Reply, Script
from targets.graph.validate import decode_config
from targets.reference.graph import TARGET, GraphRunner
from targets.reference.graph.execution import run_all
from targets.reference.graph.model import executor_model

STATE: dict[str, Any] = {
    "count": {"reducer": "sum"},
    "log": {"reducer": "append"},
    "answer": {"initial": ""},
    "items": {"initial": ["a", "b", "c"]},
    "item": {},
}


def graph(nodes: dict[str, dict[str, Any]], *ways: str, **fields: Any) -> GraphConfig:
    """A config from node configs by name and edges written as `from>to` or `from>to if condition`."""
    return decode_config({**shape(nodes, *ways), "state": STATE, **fields})


def shape(nodes: dict[str, dict[str, Any]], *ways: str) -> dict[str, Any]:
    listed = []
    whole: dict[str, dict[str, Any]] = {"in": {"type": "entry"}, **nodes, "out": {"type": "exit", "reads": "answer"}}
    for name, config in whole.items():
        options = {key: value for key, value in config.items() if key in ("retries", "timeout", "join")}
        listed.append({"id": name, "config": {k: v for k, v in config.items() if k not in options}, **options})
    edges = []
    for way in ways:
        ends, _, condition = way.partition(" if ")
        source, _, target = ends.partition(">")
        edges.append({"source": source, "target": target, "condition": condition or None})
    return {"nodes": listed, "edges": edges, "entry": ["in"], "exits": ["out"]}


def replies(**nodes: Reply) -> Script:
    return Script(
        nodes=tuple(NodeReplies(node=tuple(name.split("__")), replies=(reply,)) for name, reply in nodes.items())
    )


def model(**options: Any) -> dict[str, Any]:
    return {"type": "model", "writes": "answer", "reads": ["message"], **options}


def adds(number: int = 1, **options: Any) -> dict[str, Any]:
    return {"type": "transform", "assign": {"count": str(number)}, **options}


def tool(writes: str = "count", **options: Any) -> dict[str, Any]:
    return {"type": "tool", "tool": "t", "writes": writes, **options}


@pytest.fixture(name="runner")
def _runner() -> Iterator[GraphRunner]:
    runner = GraphRunner()
    yield runner
    runner.close()


def run(runner: GraphRunner, config: GraphConfig, script: Script | None = None, **inputs: Any) -> GraphResult:
    return runner.run(config, GraphInputs(**inputs), script or Script())


def names(result: GraphResult) -> list[str]:
    return ["/".join(found.node) for found in result.nodes]


def test_it_offers_every_capability_of_graph_runners(runner: GraphRunner) -> None:
    for protocol in (RunsGraphs, ResumesGraphs, ForksGraphs, CancelsGraphs, RunsTogether):
        assert isinstance(runner, protocol)


def test_a_model_answers_and_the_exit_reads_the_message(runner: GraphRunner) -> None:
    result = run(runner, graph({"ask": model()}, "in>ask", "ask>out"), replies(ask=Reply(value="42")), message="hi")
    assert (result.status, result.message, names(result)) == (RunStatus.COMPLETED, "42", ["in", "ask", "out"])
    assert result.stats.visits == result.stats.steps == 3


def test_the_default_answer_depends_on_what_is_asked(runner: GraphRunner) -> None:
    config = graph({"ask": model()}, "in>ask", "ask>out")
    assert run(runner, config, message="a").message != run(runner, config, message="b").message


def test_the_callers_trace_id_is_kept_throughout(runner: GraphRunner) -> None:
    result = run(runner, graph({"w": adds()}, "in>w", "w>out"), context={"trace_id": "t-1"})
    assert {result.trace_id, *(found.trace_id for found in result.nodes)} == {"t-1"}


def test_conditions_see_what_their_node_wrote(runner: GraphRunner) -> None:
    config = graph({"w": adds(), "x": adds(5)}, "in>w", "w>x if count > 0", "w>out if count == 0", "x>out")
    assert names(run(runner, config)) == ["in", "w", "x", "out"]


def test_a_router_takes_the_heaviest_open_edge(runner: GraphRunner) -> None:
    document = shape({"r": {"type": "router"}, "a": adds(1), "b": adds(2)}, "in>r", "r>a", "r>b", "a>out", "b>out")
    document["edges"][2]["weight"] = 3.0
    assert run(runner, decode_config({**document, "state": STATE})).state["count"] == 2
    document["edges"][2]["condition"] = "count > 9"
    assert run(runner, decode_config({**document, "state": STATE})).state["count"] == 1


def test_parallel_writes_are_applied_in_declared_order_whoever_is_faster(runner: GraphRunner) -> None:
    config = graph({"a": tool("log"), "b": tool("log"), "j": adds(join="all")}, "in>a", "in>b", "a>j", "b>j", "j>out")
    script = replies(a=Reply(value="a", latency=1.0), b=Reply(value="b", latency=0.1))
    result = run(runner, config, script)
    assert result.state["log"] == ["a", "b"]
    assert result.stats.elapsed == pytest.approx(1.0)


def test_a_join_waits_for_all_its_edges_and_runs_once(runner: GraphRunner) -> None:
    nodes = {"a": adds(), "b": adds(), "c": adds(), "j": adds(10, join="all")}
    ways = ("in>a", "in>b", "b>c", "a>j", "c>j", "j>out")
    assert names(run(runner, graph(nodes, *ways))).count("j") == 1
    nodes["j"] = adds(10)
    assert names(run(runner, graph(nodes, *ways))).count("j") == 2


def test_a_source_that_arrives_again_in_the_completing_step_does_not_count_for_the_next_round(
    runner: GraphRunner,
) -> None:
    nodes = {"a": adds(), "b": adds(), "c": adds(), "d": adds(), "j": adds(10, join="all")}
    ways = ("in>a", "in>b", "in>d", "a>b", "a>d", "b>c", "c>j", "d>j", "j>out")
    assert names(run(runner, graph(nodes, *ways))).count("j") == 1


def test_two_writers_of_one_value_in_a_step_are_a_conflict(runner: GraphRunner) -> None:
    config = graph({"a": tool("answer"), "b": tool("answer")}, "in>a", "in>b", "a>out", "b>out")
    result = run(runner, config)
    assert result.failure is not None
    assert result.failure.kind is FailureKind.CONFLICT


def test_a_retry_leaves_only_the_writes_of_the_last_attempt(runner: GraphRunner) -> None:
    config = graph({"t": tool(retries=2)}, "in>t", "t>out")
    result = run(runner, config, replies(t=Reply(value=1, failures=2, partial=True, latency=0.5)))
    assert (result.state["count"], result.stats.attempts) == (1, 5)
    assert result.stats.elapsed == pytest.approx(1.5)


def test_retries_that_do_not_suffice_fail_the_run_with_the_node(runner: GraphRunner) -> None:
    result = run(runner, graph({"t": tool(retries=1)}, "in>t", "t>out"), replies(t=Reply(value=1, failures=2)))
    assert result.failure is not None
    assert (result.failure.kind, result.failure.node) == (FailureKind.NODE, ("t",))
    assert result.nodes[-1].outcome is Outcome.FAILED
    assert result.state["count"] == 0


def test_a_node_that_takes_too_long_times_out(runner: GraphRunner) -> None:
    config = graph({"t": tool(timeout=1.0)}, "in>t", "t>out")
    late = run(runner, config, replies(t=Reply(value=1, latency=1.5)))
    assert late.failure is not None
    assert late.failure.kind is FailureKind.TIMEOUT
    assert late.stats.elapsed == pytest.approx(1.0)
    assert run(runner, config, replies(t=Reply(value=1, latency=0.5))).status is RunStatus.COMPLETED


def test_a_tight_loop_that_never_waits_is_timed_out(runner: GraphRunner) -> None:
    body = shape({"t": tool()}, "in>t", "t>out")
    loop = {"type": "loop", "body": body, "max_iterations": 100, "min_iterations": 100, "timeout": 1.05}
    result = run(runner, graph({"l": loop}, "in>l", "l>out"), replies(l__t=Reply(value=1, busy=0.1)))
    assert result.failure is not None
    assert result.failure.kind is FailureKind.TIMEOUT
    assert result.stats.elapsed < 1.4


def test_a_run_has_a_time_limit_too(runner: GraphRunner) -> None:
    config = graph({"t": tool()}, "in>t", "t>out", limits={"timeout": 0.5})
    result = run(runner, config, replies(t=Reply(value=1, latency=0.7)))
    assert result.failure is not None
    assert (result.failure.kind, result.failure.node) == (FailureKind.TIMEOUT, ())


def test_a_timeout_node_writes_its_fallback_instead(runner: GraphRunner) -> None:
    body = shape({"t": tool("log")}, "in>t", "t>out")
    config = graph({"q": {"type": "timeout", "seconds": 1.0, "body": body, "fallback": {"count": 7}}}, "in>q", "q>out")
    late = run(runner, config, replies(q__t=Reply(value="x", latency=2.0)))
    assert (late.status, late.state["count"], late.state["log"]) == (RunStatus.COMPLETED, 7, [])
    assert run(runner, config, replies(q__t=Reply(value="x"))).state["log"] == ["x"]


def test_a_loop_ends_when_its_condition_holds(runner: GraphRunner) -> None:
    loop = {"type": "loop", "body": shape({"w": adds()}, "in>w", "w>out"), "until": "count >= 3", "max_iterations": 9}
    result = run(runner, graph({"l": loop}, "in>l", "l>out"))
    assert result.state["count"] == 3
    assert names(result).count("l/w") == 3


def test_a_loop_may_insist_on_its_condition(runner: GraphRunner) -> None:
    body = shape({"w": adds()}, "in>w", "w>out")
    loop = {"type": "loop", "body": body, "until": "count > 9", "max_iterations": 2, "otherwise": "fail"}
    result = run(runner, graph({"l": loop}, "in>l", "l>out"))
    assert result.failure is not None
    assert result.failure.kind is FailureKind.LOOP_LIMIT


def test_a_fan_out_runs_its_body_for_each_item_in_their_order(runner: GraphRunner) -> None:
    body = shape({"w": {"type": "transform", "assign": {"log": "item"}}}, "in>w", "w>out")
    fan = {"type": "fan_out", "over": "items", "item": "item", "body": body}
    config = graph({"f": fan}, "in>f", "f>out")
    result = run(runner, config)
    assert (result.state["log"], result.state["item"]) == (["a", "b", "c"], None)
    assert run(runner, config, variables={"items": []}).state["log"] == []
    many = run(runner, config, variables={"items": ["x"] * 17})
    assert many.failure is not None
    assert many.failure.kind is FailureKind.ITEM_LIMIT


def test_reasoning_stops_at_its_word(runner: GraphRunner) -> None:
    node = {"type": "reasoning", "writes": "answer", "max_thoughts": 5, "stop": "done"}
    script = Script(
        nodes=(NodeReplies(node=("r",), replies=(Reply(value="hm"), Reply(value="done!"), Reply(value="more"))),)
    )
    assert run(runner, graph({"r": node}, "in>r", "r>out"), script).message == "done!"


def test_a_gate_ends_its_branch_or_the_run(runner: GraphRunner) -> None:
    gate = {"type": "gate", "condition": "count > 0"}
    ended = run(runner, graph({"g": gate}, "in>g", "g>out"))
    assert (ended.status, names(ended), ended.nodes[-1].outcome) == (RunStatus.COMPLETED, ["in", "g"], Outcome.BLOCKED)
    failed = run(runner, graph({"g": {**gate, "otherwise": "fail"}}, "in>g", "g>out"))
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.GATE


def test_the_step_limit_is_exact(runner: GraphRunner) -> None:
    nodes, ways = {"w": adds()}, ("in>w", "w>out")
    assert run(runner, graph(nodes, *ways, limits={"max_steps": 3})).status is RunStatus.COMPLETED
    result = run(runner, graph(nodes, *ways, limits={"max_steps": 2}))
    assert result.failure is not None
    assert (result.failure.kind, result.stats.steps) == (FailureKind.STEP_LIMIT, 2)


def test_a_cancelled_run_tells_so_and_leaves_nothing_active(runner: GraphRunner) -> None:
    config = graph({"a": tool(), "b": tool()}, "in>a", "in>b", "a>out", "b>out")
    nodes = replies(a=Reply(value=1, latency=5.0), b=Reply(value=1, latency=9.0)).nodes
    result = run(runner, config, Script(nodes=nodes, cancel_at=2.0))
    assert (result.status, result.state["count"]) == (RunStatus.CANCELLED, 0)
    assert result.stats.elapsed == pytest.approx(2.0)
    assert runner.settle() == ()
    assert run(runner, config, Script(nodes=nodes)).state["count"] == 2


def test_a_run_that_times_out_and_is_cancelled_meanwhile_leaves_nothing_active() -> None:
    ended: list[str] = []

    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.001)
            ended.append("node")

    async def cancelled_twice() -> None:
        task = asyncio.ensure_future(run_all([slow_to_end, slow_to_end], 2, reverse=False))
        for _ in range(2):
            for _ in range(3):
                await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled_twice())
    assert ended == ["node", "node"]


def test_a_paused_run_is_resumed_where_it_stopped(runner: GraphRunner) -> None:
    config = graph({"a": adds(), "b": adds(2)}, "in>a", "a>b", "b>out")
    whole = run(runner, config)
    paused = runner.pause(config, GraphInputs(), Script(), 2)
    assert (paused.status, paused.state["count"]) == (RunStatus.PAUSED, 1)
    for _ in range(2):
        resumed = runner.resume(paused.checkpoint)
        assert (resumed.state, names(resumed)) == (whole.state, names(whole))


def test_a_fork_has_its_own_writes_and_leaves_the_checkpoint_alone(runner: GraphRunner) -> None:
    config = graph({"a": adds(), "b": adds(2)}, "in>a", "a>b", "b>out")
    paused = runner.pause(config, GraphInputs(), Script(), 2)
    branch = runner.fork(paused.checkpoint, {"count": 100})
    assert runner.resume(branch).state["count"] == 103
    assert runner.state_at(paused.checkpoint)["count"] == 1
    assert runner.resume(paused.checkpoint).state["count"] == 3


def test_an_unknown_checkpoint_and_a_bad_write_are_refused(runner: GraphRunner) -> None:
    config = graph({"a": adds()}, "in>a", "a>out")
    paused = runner.pause(config, GraphInputs(), Script(), 1)
    with pytest.raises(GraphRejected, match="checkpoint = 'x'"):
        runner.resume("x")
    with pytest.raises(GraphRejected, match=r"writes\.count = 'x'"):
        runner.fork(paused.checkpoint, {"count": "x"})


def test_nothing_runs_when_the_config_or_its_inputs_are_refused() -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "x"

    runner = GraphRunner(model=answer)
    config = graph({"ask": model()}, "in>ask", "ask>out")
    broken = GraphConfig(nodes=config.nodes, edges=config.edges, entry=config.entry, exits=(), state=config.state)
    with pytest.raises(GraphRejected, match="exits"):
        run(runner, broken)
    with pytest.raises(GraphRejected, match="variables"):
        run(runner, config, variables={"nothing": 1})
    assert asked == []
    assert run(runner, config).message == "x"
    runner.close()


def test_runs_side_by_side_do_not_meet(runner: GraphRunner) -> None:
    config = graph({"a": model()}, "in>a", "a>out")
    cases = [GraphCase(config=config, inputs=GraphInputs(message=text)) for text in ("x", "y", "x")]
    alone = [run(runner, case.config, message=case.inputs.message).message for case in cases]
    assert [result.message for result in runner.run_together(cases)] == alone


def test_it_runs_on_the_callers_own_loop(runner: GraphRunner) -> None:
    config = graph({"a": adds()}, "in>a", "a>out")
    assert asyncio.run(runner.run_async(config, GraphInputs(), Script())).state["count"] == 1


@pytest.mark.parametrize("knob", TARGET.knobs, ids=lambda knob: knob.name)
def test_no_knob_changes_a_result(knob: Any) -> None:
    config = graph({"a": tool("log"), "b": tool("log")}, "in>a", "in>b", "a>out", "b>out")
    results = [run(TARGET.open(None, **{knob.name: value}), config) for value in knob.values]
    assert len({repr(result.state) for result in results}) == 1


def test_a_model_node_can_be_answered_by_the_reference_executor() -> None:
    target = registry.find("reference-hash")
    executor = target.open(target.load("cpu", "float32"))
    runner = GraphRunner(model=executor_model(executor))
    config = graph({"ask": model()}, "in>ask", "ask>out")
    first = run(runner, config, message="hello")
    assert (first.status, first.message) == (RunStatus.COMPLETED, run(runner, config, message="hello").message)
    assert first.message != run(runner, config, message="hallo").message
    runner.close()
    executor.close()


def test_an_executor_without_text_cannot_be_a_model() -> None:
    mute: Any = object()
    with pytest.raises(TypeError, match="tokenize"):
        executor_model(mute)
