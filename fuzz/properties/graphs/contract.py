"""What every runner and every node type owes: typed results, one trace id, honest statistics."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.graphs.registration import graph_property
from fuzz.properties.model import Cost, Violation
from targets.graph.case import GraphCase
from targets.graph.config import GraphConfig, body_of
from targets.graph.result import GraphResult, Outcome, RunStatus


@graph_property("G8", "Node contract", sources=("GRAPH-10",), cost=Cost.OBSERVES)
def node_contract(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
    """The result is typed plain data; every node that ran is in the config; one trace id; statistics add up."""
    lab.tally.looked += 1
    base = lab.base(case)
    try:
        plain = msgspec.json.decode(msgspec.json.encode(base), type=GraphResult)
    except (msgspec.ValidationError, msgspec.EncodeError, TypeError) as error:
        yield Violation(code="G8", slug="untyped-result", message=f"the result is not plain data: {error}")
        return
    if plain != base:
        yield Violation(code="G8", slug="untyped-result", message="the result changes in a JSON round trip")
    yield from _ending(case, base)
    if lab.domain.reports_nodes:
        yield from _trace(case, base)
        yield from _statistics(base)


def _ending(case: GraphCase, base: GraphResult) -> Iterator[Violation]:
    if (base.status is RunStatus.FAILED) is (base.failure is None):
        yield Violation(code="G8", slug="failure-untold", message=f"status {base.status} with failure {base.failure}")
    allowed = {RunStatus.COMPLETED, RunStatus.FAILED}
    if case.script.cancel_at is not None:
        allowed.add(RunStatus.CANCELLED)
    if base.status not in allowed:
        yield Violation(code="G8", slug="unasked-ending", message=f"nobody asked for the status {base.status}")
    wanted = case.inputs.context.get("trace_id")
    if not base.trace_id or (wanted and base.trace_id != wanted):
        message = f"the trace id is {base.trace_id!r}, the caller's is {wanted!r}"
        yield Violation(code="G8", slug="trace-id-lost", message=message)


def _trace(case: GraphCase, base: GraphResult) -> Iterator[Violation]:
    known = dict(_types(case.config, ()))
    previous = 0
    for run in base.nodes:
        name = "/".join(run.node)
        if run.node not in known:
            yield Violation(code="G8", slug="unknown-node", message=f"node {name!r} ran; the config has none")
        if run.trace_id != base.trace_id:
            message = f"node {name!r} ran under the trace id {run.trace_id!r}, the run has {base.trace_id!r}"
            yield Violation(code="G8", slug="trace-id-changed", message=message)
        if run.ended < run.started:
            yield Violation(code="G8", slug="time-reversed", message=f"node {name!r} ended before it started")
        if len(run.node) == 1:
            if run.step < previous:
                message = f"node {name!r} of step {run.step} stands behind step {previous}"
                yield Violation(code="G8", slug="out-of-order", message=message)
            previous = run.step


def _statistics(base: GraphResult) -> Iterator[Violation]:
    stats = base.stats
    if stats.visits != len(base.nodes) or stats.attempts != sum(run.attempts for run in base.nodes):
        message = f"{stats.visits} visits and {stats.attempts} attempts are counted, {len(base.nodes)} visits reported"
        yield Violation(code="G8", slug="statistics-wrong", message=message)
    last = max((run.step for run in base.nodes if len(run.node) == 1), default=0)
    failed = any(run.outcome is Outcome.FAILED for run in base.nodes if len(run.node) == 1)
    if base.status is RunStatus.COMPLETED and (stats.steps != last or failed):
        message = f"a completed run counts {stats.steps} steps, its nodes tell {last}"
        yield Violation(code="G8", slug="statistics-wrong", message=message)


def _types(config: GraphConfig, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for node in config.nodes:
        yield (*path, node.id), node.type
        if body := body_of(node):
            yield from _types(body, (*path, node.id))
