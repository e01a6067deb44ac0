"""Every run ends: acyclic graphs by themselves, cyclic ones at the limit at the latest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from fuzz.lab.graph_lab import GraphLab, with_config
from fuzz.properties.graphs.compare import difference
from fuzz.properties.graphs.registration import graph_property
from fuzz.properties.model import Violation
from targets.graph.case import GraphCase
from targets.graph.config import GraphConfig
from targets.graph.result import FailureKind, GraphResult, RunStatus
from targets.graph.structure import cyclic_node, successors

_LIMIT = "step limit"
"""Cause of all violations by a run that ends too late or too early at its limit."""


@graph_property("G5", "Termination and limits", sources=("GRAPH-09",))
def termination(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
    """A limit of exactly the steps of a run changes nothing; one step less ends it with the typed error.

    In an acyclic graph a node runs only in steps that equal the length of a path to it, and once in each.
    """
    base = lab.base(case)
    yield from _acyclic(case.config, base, reports=lab.domain.reports_nodes)
    if base.failure and base.failure.kind is FailureKind.STEP_LIMIT and not base.failure.node:
        lab.tally.looked += 1
        beyond = base.stats.steps - case.config.limits.max_steps
        if base.stats.steps and not 0 <= beyond <= lab.domain.extra_steps:
            message = f"the limit is {case.config.limits.max_steps} steps, it ended after {base.stats.steps}"
            yield Violation(code="G5", slug="limit-inexact", message=message, cause=_LIMIT)
    if base.status is not RunStatus.COMPLETED or case.script.cancel_at is not None or not base.stats.steps:
        return
    lab.tally.compared += 1
    slug, sentence = difference(base, lab.run(limited(case, base.stats.steps)))
    if slug:
        message = f"with max_steps = {base.stats.steps}, the steps it takes: {sentence}"
        yield Violation(code="G5", slug="limit-too-strict", message=message, cause=_LIMIT)
    if base.stats.steps > 1:
        less = lab.run(limited(case, base.stats.steps - 1))
        if less.failure is None or less.failure.kind is not FailureKind.STEP_LIMIT:
            message = f"max_steps = {base.stats.steps - 1} did not end a run of {base.stats.steps} steps: {less.status}"
            yield Violation(code="G5", slug="limit-ignored", message=message, cause=_LIMIT)


def limited(case: GraphCase, steps: int) -> GraphCase:
    """The case with another step limit."""
    return with_config(case, limits=msgspec.structs.replace(case.config.limits, max_steps=steps))


def possible_steps(config: GraphConfig) -> dict[str, int]:
    """For an acyclic graph the steps in which each node may run, as a bit set: bit s for step s, from 1."""
    following = successors(config)
    incoming = Counter(target for targets in following.values() for target in targets)
    steps = dict.fromkeys(following, 0)
    for name in config.entry:
        steps[name] = 1 << 1
    free = [name for name in following if not incoming[name]]
    while free:
        name = free.pop()
        for target in following[name]:
            steps[target] |= steps[name] << 1
            incoming[target] -= 1
            if not incoming[target]:
                free.append(target)
    return steps


def _acyclic(config: GraphConfig, base: GraphResult, *, reports: bool) -> Iterator[Violation]:
    if not reports or cyclic_node(config) is not None:
        return
    possible = possible_steps(config)
    seen: set[tuple[str, int]] = set()
    for run in base.nodes:
        if len(run.node) > 1:
            continue
        name = run.node[0]
        if (name, run.step) in seen:
            yield Violation(code="G5", slug="ran-twice", message=f"node {name!r} ran twice in step {run.step}")
        if not possible.get(name, 0) >> run.step & 1:
            message = f"node {name!r} ran in step {run.step}, which is the length of no path to it"
            yield Violation(code="G5", slug="ran-out-of-turn", message=message)
        seen.add((name, run.step))
