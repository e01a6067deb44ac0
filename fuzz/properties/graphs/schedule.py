"""Schedule independence, repetition and concurrent runs."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.graphs.compare import course_difference, timed
from fuzz.properties.graphs.registration import graph_property
from fuzz.properties.model import Violation
from targets.graph.case import GraphCase
from targets.graph.contract import RunsTogether
from targets.graph.result import GraphResult
from targets.graph.script import GraphInputs, NodeReplies, Reply, Script


@graph_property("G1", "Schedule independence", sources=("GRAPH-06", "GRAPH-08"))
def schedule_independence(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
    """Knobs (parallel or sequential, sync or async, start order) and the latencies of models and tools change nothing.

    Nodes of one step work on the same state and their writes are applied in a fixed order, so who is faster must not
    show. Graphs with a timeout are left out: there the clock is part of the input.
    """
    if timed(case.config):
        return
    base = lab.base(case)
    for knob in lab.target.knobs:
        for value in knob.values:
            if value != case.knobs.get(knob.name, knob.default):
                lab.tally.compared += 1
                yield from _differs(
                    "G1", base, lab.run(case, knobs={knob.name: value}), f"with {knob.name} = {value!r}"
                )
    if any(reply.latency for entry in case.script.nodes for reply in entry.replies):
        lab.tally.compared += 1
        yield from _differs("G1", base, lab.run(case, script=other_latencies(case.script)), "with other latencies")


@graph_property("G10", "Repeated and concurrent runs", sources=("GRAPH-06", "GRAPH-11"))
def independent_runs(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
    """A runner gives the same answer again, after other runs, and beside other runs: it keeps no state between them."""
    base = lab.base(case)
    lab.tally.compared += 1
    lab.run(disturbing(case))
    yield from _differs("G10", base, lab.run(case), "after another run")
    runner = lab.runner(case.knobs)
    if isinstance(runner, RunsTogether) and not timed(case.config):
        lab.tally.compared += 1
        together = runner.run_together((case, disturbing(case), case))
        yield from _differs("G10", base, together[0], "beside other runs")
        yield from _differs("G10", base, together[2], "beside other runs")


def other_latencies(script: Script) -> Script:
    """The same replies, the slow ones fast and the fast ones slow."""
    entries = tuple(
        NodeReplies(node=entry.node, replies=tuple(_turned(reply) for reply in entry.replies)) for entry in script.nodes
    )
    return Script(nodes=entries, cancel_at=script.cancel_at)


def disturbing(case: GraphCase) -> GraphCase:
    """A case with the same graph and other inputs and replies."""
    inputs = GraphInputs(message=case.inputs.message + "!", variables=case.inputs.variables)
    return msgspec.structs.replace(case, inputs=inputs, script=other_latencies(case.script))


def _turned(reply: Reply) -> Reply:
    return msgspec.structs.replace(reply, latency=max(0.0, round(0.5 - reply.latency, 2)))


def _differs(code: str, base: GraphResult, other: GraphResult, when: str) -> Iterator[Violation]:
    slug, sentence = course_difference(base, other)
    if slug:
        yield Violation(code=code, slug=slug, message=f"{when}: {sentence}")
