"""Timeouts, cancellation and retries."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.graphs.compare import all_nodes, course_difference, difference, nodes_by_path, timed
from fuzz.properties.graphs.registration import graph_property
from fuzz.properties.model import Violation
from targets.graph.case import GraphCase
from targets.graph.config import FanOutConfig, GraphConfig, Node, ReasoningConfig, TimeoutConfig
from targets.graph.contract import CancelsGraphs
from targets.graph.result import GraphResult, RunStatus
from targets.graph.script import NodeReplies, Script

_SLACK = 1e-6


@graph_property(
    "G6", "Timeouts, cancellation and retries are transparent", sources=("GRAPH-02", "GRAPH-05", "GRAPH-11")
)
def transparency(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
    """A timeout that does not fire changes nothing, and one that fires ends the node in time.

    After a run, cancelled or not, no node is active, and after a cancelled one the runner works as before. A retry that
    succeeds leaves no more than a first attempt that does.
    """
    base = lab.base(case)
    if lab.domain.deadlines and not timed(case.config):
        lab.tally.compared += 1
        slug, sentence = course_difference(base, lab.run(patient(case, 10 * base.stats.elapsed + 60)))
        if slug:
            yield Violation(code="G6", slug="timeout-changes", message=f"with timeouts that do not fire: {sentence}")
    yield from _overruns(case, base)
    yield from _retries(lab, case, base)
    yield from _cancelled(lab, case, base)


def still_active(code: str, message: str) -> Violation:
    """A node that goes on although no run does, whatever ended the run."""
    return Violation(code=code, slug="active-afterwards", message=message, cause="a node goes on")


def patient(case: GraphCase, seconds: float) -> GraphCase:
    """The case with this timeout for every node and for the run."""
    nodes = tuple(msgspec.structs.replace(node, timeout=seconds) for node in case.config.nodes)
    limits = msgspec.structs.replace(case.config.limits, timeout=seconds)
    return msgspec.structs.replace(case, config=msgspec.structs.replace(case.config, nodes=nodes, limits=limits))


def at_once(script: Script) -> Script:
    """The same replies without failing attempts."""
    entries = tuple(
        NodeReplies(
            node=entry.node, replies=tuple(msgspec.structs.replace(reply, failures=0) for reply in entry.replies)
        )
        for entry in script.nodes
    )
    return Script(nodes=entries, cancel_at=script.cancel_at)


def _retries(lab: GraphLab, case: GraphCase, base: GraphResult) -> Iterator[Violation]:
    failing = any(reply.failures for entry in case.script.nodes for reply in entry.replies)
    if not failing or base.status is not RunStatus.COMPLETED or timed(case.config):
        return
    lab.tally.compared += 1
    slug, sentence = difference(base, lab.run(case, script=at_once(case.script)))
    if slug:
        yield Violation(code="G6", slug="retry-changes", message=f"with attempts that succeed at once: {sentence}")


def _cancelled(lab: GraphLab, case: GraphCase, base: GraphResult) -> Iterator[Violation]:
    runner = lab.runner(case.knobs)
    if not isinstance(runner, CancelsGraphs) or base.stats.elapsed <= 0 or case.script.cancel_at is not None:
        return
    lab.tally.compared += 1
    moment = base.stats.elapsed * 0.61
    if active := runner.settle():
        yield still_active("G6", f"the run has ended, {', '.join(active)} went on")
        return
    stopped = lab.run(case, script=Script(nodes=case.script.nodes, cancel_at=moment))
    if active := runner.settle():
        yield still_active("G6", f"cancelled after {moment:g} s, {', '.join(active)} went on")
    # Where the clock decides, a timer more can let a timeout win that came too late before.
    allowed = {RunStatus.CANCELLED, base.status} | ({RunStatus.FAILED} if timed(case.config) else set())
    if stopped.status not in allowed:
        message = f"cancelled after {moment:g} s, the run ended as {stopped.status}"
        yield Violation(code="G6", slug="cancel-ignored", message=message)
    slug, sentence = course_difference(base, lab.run(case))
    if slug:
        yield Violation(code="G6", slug="cancel-changes-next", message=f"after a cancelled run: {sentence}")


def _overruns(case: GraphCase, base: GraphResult) -> Iterator[Violation]:
    """A node may take its timeout in each attempt, and what computes without giving way on top."""
    if not timed(case.config):
        return
    busy = 2 * _busy(case)
    allowed = dict(_allowances(case.config))
    for run in base.nodes:
        limit = allowed.get(run.node)
        if limit is not None and run.ended - run.started > limit + busy * run.attempts + _SLACK:
            message = f"node {'/'.join(run.node)} took {run.ended - run.started:g} s; its timeouts allow {limit:g} s"
            yield Violation(code="G6", slug="timeout-overrun", message=message)


def _busy(case: GraphCase) -> float:
    """Seconds that all nodes together may compute in one visit of each: its attempts and thoughts follow closely."""
    turns = dict(_turns(case.config))
    fans = [node.config for node in all_nodes(case.config) if isinstance(node.config, FanOutConfig)]
    items = max((fan.max_items for fan in fans), default=1)
    return items * sum(
        turns.get(entry.node, 0) * max((reply.busy for reply in entry.replies), default=0.0)
        for entry in case.script.nodes
    )


def _turns(config: GraphConfig) -> Iterator[tuple[tuple[str, ...], int]]:
    """How often each node may ask its model or tool in one visit."""
    for path, node in nodes_by_path(config):
        thoughts = node.config.max_thoughts if isinstance(node.config, ReasoningConfig) else 1
        yield path, thoughts * (node.retries + 1)


def _allowances(config: GraphConfig) -> Iterator[tuple[tuple[str, ...], float]]:
    for path, node in nodes_by_path(config):
        seconds = _patience(node)
        if seconds is not None:
            yield path, seconds * (node.retries + 1)


def _patience(node: Node) -> float | None:
    inner = node.config.seconds if isinstance(node.config, TimeoutConfig) else None
    known = [seconds for seconds in (node.timeout, inner) if seconds is not None]
    return min(known) if known else None
