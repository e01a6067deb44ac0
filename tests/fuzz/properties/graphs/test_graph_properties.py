"""The graph properties: they hold on the reference runner and see what a broken one does."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.graphs.recorded import by_case, read_snapshots, record
from fuzz.properties.graphs.scripted import wrong_answers
from fuzz.properties.graphs.termination import possible_steps
from fuzz.properties.registry import find, properties
from strategies.graphs import generate_graph_case, graph_space_of, mutate_graph_case
from targets.contract import TargetKind
from targets.errors import UsageError
from targets.graph.case import ConfigDefect, GraphCase, Patch, Pause
from targets.graph.config import (
    Channel,
    Edge,
    EntryConfig,
    ExitConfig,
    GraphConfig,
    LoopConfig,
    Node,
    Reducer,
    ToolConfig,
    TransformConfig,
)
from targets.graph.result import GraphResult
from targets.graph.script import GraphInputs, NodeReplies, Reply, Script
from targets.reference.graph import TARGET, GraphRunner

Bend = Callable[[GraphResult], GraphResult]


def linear(*configs: Any, **options: Any) -> GraphConfig:
    """An entry, these nodes in a row, an exit."""
    inner = [Node(id=f"n{number}", config=config, **options) for number, config in enumerate(configs)]
    nodes = (Node(id="in", config=EntryConfig()), *inner, Node(id="out", config=ExitConfig()))
    edges = tuple(Edge(source=a.id, target=b.id) for a, b in itertools.pairwise(nodes))
    state = {"count": Channel(reducer=Reducer.SUM), "log": Channel(reducer=Reducer.APPEND)}
    return GraphConfig(nodes=nodes, edges=edges, entry=("in",), exits=("out",), state=state)


ONE = TransformConfig(assign={"count": "1"})
CASE = GraphCase(config=linear(ONE, ToolConfig(tool="t", writes="log")), pause=Pause(after=1, writes={"count": 5}))


class Bent(GraphRunner):
    """A runner whose results are changed before anyone sees them."""

    bend: Bend = staticmethod(lambda result: result)

    def run(self, config: GraphConfig, inputs: GraphInputs, script: Script) -> GraphResult:
        return self.bend(super().run(config, inputs, script))


def codes(case: GraphCase, runner: Callable[..., Any] = GraphRunner) -> set[str]:
    """Signatures of all violations of one case."""
    target = with_runner(TARGET, runner)
    lab = GraphLab(target)
    lab.begin(case)
    return {violation.signature for judged in properties(TargetKind.GRAPH) for violation in judged.check(lab, case)}


def with_runner(target: Any, runner: Callable[..., Any]) -> Any:
    """The reference target with another runner."""
    return dataclasses.replace(target, open=lambda _, **knobs: runner(**knobs))


def bent(bend: Bend) -> Callable[..., Any]:
    def opened(**knobs: Any) -> Bent:
        runner = Bent(**knobs)
        runner.bend = bend
        return runner

    return opened


def test_every_property_names_its_sources_and_explains_itself() -> None:
    known = properties(TargetKind.GRAPH)
    assert [found.code for found in known] == [f"G{number}" for number in range(1, 14)]
    assert all(found.sources and found.explanation for found in known)


def test_generated_cases_hold_on_the_reference_runner() -> None:
    lab, space = GraphLab(TARGET), graph_space_of(TARGET)
    generator = random.Random(11)
    checked: set[str] = set()
    for number in range(60):
        case = generate_graph_case(generator, space, malformed=number % 8 == 0)
        case = mutate_graph_case(case, generator, space) if number % 3 == 0 else case
        lab.begin(case)
        for judged in properties(TargetKind.GRAPH):
            before = (lab.tally.compared, lab.tally.looked)
            assert list(judged.check(lab, case)) == []
            if (lab.tally.compared, lab.tally.looked) != before:
                checked.add(judged.code)
    assert checked == {f"G{number}" for number in range(1, 14)} - {"G12"}


def test_a_plain_case_holds() -> None:
    assert codes(CASE) == set()


@pytest.mark.parametrize(
    ("bend", "signature"),
    [
        (lambda result: msgspec.structs.replace(result, trace_id=""), "G8/trace-id-lost"),
        (lambda result: msgspec.structs.replace(result, nodes=result.nodes[1:]), "G9/wrong-nodes"),
        (lambda result: msgspec.structs.replace(result, nodes=(*result.nodes, result.nodes[-1])), "G5/ran-twice"),
        (lambda result: msgspec.structs.replace(result, state={**result.state, "count": 9}), "G9/wrong-state"),
        (lambda result: msgspec.structs.replace(result, nodes=()), "G8/statistics-wrong"),
        (lambda result: msgspec.structs.replace(result, message=7), "G8/untyped-result"),
    ],
)
def test_a_result_that_is_bent_is_seen(bend: Bend, signature: str) -> None:
    assert signature in codes(CASE, bent(bend))


def test_an_exception_of_the_runner_is_a_violation_and_stops_nothing() -> None:
    def broken(result: GraphResult) -> GraphResult:
        raise KeyError("lost")

    found = codes(CASE, bent(broken))
    assert {"G1/raised-KeyError", "G9/raised-KeyError"} <= found


def test_a_valid_config_that_is_refused_is_a_violation() -> None:
    class Strict(GraphRunner):
        def validate(self, document: object) -> None:
            super().validate(document if isinstance(document, dict) and isinstance(document["nodes"], list) else None)

    assert "G11/refused-tuples" in codes(CASE, Strict)


def test_a_defect_that_is_accepted_is_a_violation() -> None:
    defect = ConfigDefect(name="unknown-target", patches=(Patch(path=("edges", 0, "target"), value="x"),))
    case = GraphCase(config=CASE.config, defect=defect)

    class Lenient(GraphRunner):
        def validate(self, document: object) -> None:
            return

    assert codes(case) == set()
    assert codes(case, Lenient) == {"G7/accepted-unknown-target"}


def test_a_node_that_stays_active_is_seen_in_every_case_anew() -> None:
    class Leaving(GraphRunner):
        def run(self, config: GraphConfig, inputs: GraphInputs, script: Script) -> GraphResult:
            result = super().run(config, inputs, script)
            self._active.append(("n1",))
            return result

    lab, judged = GraphLab(with_runner(TARGET, Leaving)), find("G6")
    slow = NodeReplies(node=("n1",), replies=(Reply(value="x", latency=2.0),))
    case = msgspec.structs.replace(CASE, script=Script(nodes=(slow,)))
    for _ in range(2):
        lab.begin(case)
        assert [found.slug for found in judged.check(lab, case)] == ["active-afterwards"]


def test_retries_must_not_show_in_the_state() -> None:
    config = linear(ToolConfig(tool="t", writes="count"), retries=2)
    replies = (NodeReplies(node=("n0",), replies=(Reply(value=1, failures=1, partial=True),)),)
    case = GraphCase(config=config, script=Script(nodes=replies))

    def doubled(result: GraphResult) -> GraphResult:
        extra = result.stats.attempts - result.stats.visits
        return msgspec.structs.replace(result, state={**result.state, "count": 1 + extra})

    assert codes(case) == set()
    assert "G6/retry-changes" in codes(case, bent(doubled))


def test_a_resumed_run_whose_clock_starts_anew_is_seen() -> None:
    replies = (NodeReplies(node=("n1",), replies=(Reply(value="x", latency=2.0),)),)
    case = msgspec.structs.replace(CASE, script=Script(nodes=replies), pause=Pause(after=3))

    class Forgetful(GraphRunner):
        def resume(self, checkpoint: str) -> GraphResult:
            result = super().resume(checkpoint)
            return msgspec.structs.replace(result, stats=msgspec.structs.replace(result.stats, elapsed=0.0))

    assert codes(case) == set()
    assert codes(case, Forgetful) == {"G3/time-forgotten"}


def test_the_steps_in_which_a_node_may_run_are_the_lengths_of_its_paths() -> None:
    config = linear(ONE, ONE)
    short = msgspec.structs.replace(config, edges=(*config.edges, Edge(source="in", target="n1")))
    assert possible_steps(short) == {"in": 0b10, "n0": 0b100, "n1": 0b1100, "out": 0b11000}


def test_recorded_outputs_are_compared_across_versions(tmp_path: Path) -> None:
    lab = GraphLab(TARGET)
    record(lab, [CASE], tmp_path, version="1")
    snapshots = read_snapshots(tmp_path)
    assert [snapshot.version for snapshot in snapshots] == ["1"]
    recorded = find("G12")
    assert list(recorded.check(GraphLab(TARGET, recorded=by_case(snapshots)), CASE)) == []

    other = bent(lambda result: msgspec.structs.replace(result, state={**result.state, "count": 2}))
    later = GraphLab(with_runner(TARGET, other), recorded=by_case(snapshots))
    assert [found.slug for found in recorded.check(later, CASE)] == ["state-differs"]


def test_a_damaged_snapshot_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UsageError, match=r"x\.json is no snapshot"):
        read_snapshots(tmp_path)


def scripted(*values: str) -> GraphCase:
    """A tool that answers with these values in turn, in a loop of two rounds."""
    tool = ToolConfig(tool="t", writes="log")
    looped = linear(LoopConfig(body=msgspec.structs.replace(linear(tool), state={}), max_iterations=2))
    replies = NodeReplies(node=("n0", "n0"), replies=tuple(Reply(value=value) for value in values))
    return GraphCase(config=looped, script=Script(nodes=(replies,)))


def test_a_tool_in_a_loop_writes_the_reply_of_its_round() -> None:
    assert not codes(scripted("first", "second"))


def test_an_answer_of_an_earlier_round_is_seen() -> None:
    def stale(result: GraphResult) -> GraphResult:
        runs = tuple(
            msgspec.structs.replace(run, writes=(("log", "first"),)) if run.node == ("n0", "n0") else run
            for run in result.nodes
        )
        return msgspec.structs.replace(result, nodes=runs)

    assert "G9/wrong-answer" in codes(scripted("first", "second"), bent(stale))


def test_answers_to_unscripted_questions_are_not_judged() -> None:
    config = scripted().config

    assert not list(wrong_answers(config, Script(), GraphRunner().run(config, GraphInputs(), Script()).nodes))
