"""Pausing, resuming and forking runs."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.graphs.compare import course_difference, difference, same_value
from fuzz.properties.graphs.registration import graph_property
from fuzz.properties.model import Violation
from targets.graph.case import GraphCase, Pause
from targets.graph.config import GraphConfig
from targets.graph.contract import ForksGraphs, ResumesGraphs
from targets.graph.result import FailureKind, GraphResult, RunStatus

MAX_PAUSES = 3
CLOCK = 1e-6
"""Rounding of times, in seconds."""
_COURSE = "course after a pause"
"""Cause of all differences between a run and the same run with a pause, whatever they show in."""


@graph_property("G3", "Resumed equals uninterrupted", sources=("GRAPH-04", "GRAPH-01"), needs=(ResumesGraphs,))
def resumed_equals_uninterrupted(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
    """Stopping after any step and resuming from the checkpoint gives the same nodes, writes and state.

    The time before the pause counts: the resumed run ends no earlier than it was paused, by its own clock.
    A run with a time limit is left out: a pause is a turn of the scheduler, which may decide whether it is in time.
    """
    base = lab.base(case)
    runner = lab.runner(case.knobs)
    if not isinstance(runner, ResumesGraphs) or _clocked(case):
        return
    limited = base.failure is not None and base.failure.kind is FailureKind.STEP_LIMIT
    if limited and not lab.domain.limit_spans_resume:
        return
    for steps in pauses(case, base):
        paused = runner.pause(case.config, case.inputs, case.script, steps)
        lab.tally.compared += 1
        if paused.status is not RunStatus.PAUSED:
            slug, sentence = course_difference(base, paused)
            if slug:
                yield Violation(
                    code="G3", slug=slug, message=f"asked to stop after step {steps}: {sentence}", cause=_COURSE
                )
            continue
        if paused.stats.steps != steps:
            message = f"asked to stop after step {steps}, it stopped after {paused.stats.steps}"
            yield Violation(code="G3", slug="paused-elsewhere", message=message)
        resumed = runner.resume(paused.checkpoint)
        slug, sentence = course_difference(base, resumed)
        if slug:
            yield Violation(code="G3", slug=slug, message=f"resumed after step {steps}: {sentence}", cause=_COURSE)
        before, after = paused.stats.elapsed, resumed.stats.elapsed
        if after < before - CLOCK:
            message = f"{before:g} s had passed at a pause after step {steps}, the resumed run ends after {after:g} s"
            yield Violation(code="G3", slug="time-forgotten", message=message)


@graph_property("G4", "Fork isolation", sources=("GRAPH-03",), needs=(ResumesGraphs, ForksGraphs))
def fork_isolation(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
    """A branch forked from an old checkpoint sees its own writes only, and the old checkpoint sees none of them.

    A fork made before the run went on and one made after it give the same result.
    """
    base = lab.base(case)
    pause = case.pause or Pause(after=1)
    runner = lab.runner(case.knobs)
    if not isinstance(runner, ResumesGraphs) or not isinstance(runner, ForksGraphs) or _clocked(case):
        return
    if base.stats.steps <= pause.after or base.failure or not fork_point(case.config, base, pause.after):
        return
    early = runner.pause(case.config, case.inputs, case.script, pause.after)
    if early.status is not RunStatus.PAUSED:
        return
    lab.tally.compared += 1
    held = runner.state_at(early.checkpoint)
    first = runner.resume(runner.fork(early.checkpoint, pause.writes))
    yield from _differs("fork-leaks", "resumed after a fork ran", base, runner.resume(early.checkpoint))
    second = runner.resume(runner.fork(early.checkpoint, pause.writes))
    slug, sentence = difference(first, second)
    if slug:
        message = f"a fork made before and one made after the run went on: {sentence}"
        yield Violation(code="G4", slug="fork-sees-other-branch", message=message)
    changed = [name for name, value in runner.state_at(early.checkpoint).items() if not same_value(value, held[name])]
    if changed:
        message = f"the checkpoint's channel {changed[0]!r} changed after a fork"
        yield Violation(code="G4", slug="checkpoint-changed", message=message)


def pauses(case: GraphCase, base: GraphResult) -> tuple[int, ...]:
    """Steps to stop after: the case's own, the first, the middle and the last but one."""
    last = max(1, base.stats.steps - 1)
    own = (case.pause.after,) if case.pause else ()
    return tuple(dict.fromkeys((*own, 1, max(1, last // 2), last)))[:MAX_PAUSES]


def fork_point(config: GraphConfig, base: GraphResult, step: int) -> bool:
    """Whether the step ran one node whose edges have no conditions.

    Where writes come from a node, as they do in LangGraph, its conditions are evaluated anew with them.
    """
    ran = [run.node[0] for run in base.nodes if run.step == step and len(run.node) == 1]
    types = {node.id: node.type for node in config.nodes}
    if len(ran) != 1 or types[ran[0]] in ("router", "gate"):
        return False
    return all(edge.condition is None for edge in config.edges if edge.source == ran[0])


def _clocked(case: GraphCase) -> bool:
    return case.script.cancel_at is not None or case.config.limits.timeout is not None


def _differs(slug: str, when: str, base: GraphResult, other: GraphResult) -> Iterator[Violation]:
    found, sentence = course_difference(base, other)
    if found:
        yield Violation(code="G4", slug=slug, message=f"{when}: {sentence}")
