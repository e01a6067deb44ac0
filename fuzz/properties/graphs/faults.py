"""A model, a tool or the store of checkpoints fails in the middle of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fuzz.lab.faults import caused_by, faults_between
from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.graphs.compare import course_difference, difference, timed
from fuzz.properties.graphs.patience import still_active
from fuzz.properties.graphs.registration import graph_property
from fuzz.properties.model import Violation
from targets.contract import FaultPoint, InjectsFaults
from targets.graph.case import GraphCase
from targets.graph.contract import CancelsGraphs, ResumesGraphs, RunsGraphs, RunsTogether
from targets.graph.result import GraphResult, RunStatus

MOST_FAULTS = 6
"""Faults that are tried in a case, in each of the ways to run it."""

Way = Callable[[], tuple[GraphResult, ...]]
"""Runs the case, perhaps several times at once."""


@graph_property(
    "G13",
    "A fault ends one run only",
    sources=("LIFE-06", "LIFE-11", "LIFE-14", "GRAPH-02"),
    needs=(InjectsFaults,),
)
def fault_isolation(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
    """When one call of a model or tool, or one write of a checkpoint, fails, at most one run fails, and says why.

    A run that gets over it (by a retry) ends as without the fault, and so does one beside it. Afterwards no node is
    active, and the same runner gives the same result as before. Tried alone, twice at the same time where the runner
    can do that, and with a pause; only for graphs whose result does not depend on the clock.
    """
    base = lab.base(case)
    runner = lab.runner(case.knobs)
    if base.status is not RunStatus.COMPLETED or timed(case.config) or case.script.cancel_at is not None:
        return
    for way in _ways(case, runner):
        usual, faults = _clean(runner, way)
        for fault in faults:
            lab.tally.looked += 1
            lab.tally.compared += 1
            # What another run of the case has left behind is not this fault's doing.
            before = runner.settle() if isinstance(runner, CancelsGraphs) else ()
            found = [*_judge(runner, way, usual, fault), *_aftermath(lab, case, runner, base, before)]
            yield from (caused_by("G13", fault, violation) for violation in found)
            if found:
                return


def _ways(case: GraphCase, runner: RunsGraphs) -> Iterator[Way]:
    yield lambda: (runner.run(case.config, case.inputs, case.script),)
    if isinstance(runner, RunsTogether):
        yield lambda: runner.run_together([case, case])
    if isinstance(runner, ResumesGraphs):
        yield lambda: (_interrupted(case, runner),)


def _interrupted(case: GraphCase, runner: ResumesGraphs) -> GraphResult:
    paused = runner.pause(case.config, case.inputs, case.script, case.pause.after if case.pause else 1)
    return runner.resume(paused.checkpoint) if paused.status is RunStatus.PAUSED else paused


def _clean(runner: RunsGraphs, way: Way) -> tuple[tuple[GraphResult, ...], list[FaultPoint]]:
    """The results without a fault, and the faults to try."""
    assert isinstance(runner, InjectsFaults)
    before = dict(runner.fault_points())
    usual = way()
    return usual, faults_between(before, runner.fault_points(), MOST_FAULTS)


def _judge(runner: RunsGraphs, way: Way, usual: tuple[GraphResult, ...], fault: FaultPoint) -> Iterator[Violation]:
    assert isinstance(runner, InjectsFaults)
    runner.inject(fault)
    try:
        results = way()
    finally:
        runner.inject(None)
    failed = 0
    for one, other in zip(usual, results, strict=True):
        if other.status is RunStatus.FAILED and one.status is not RunStatus.FAILED:
            failed += 1
            if other.failure is None or not other.failure.message:
                yield Violation(code="G13", slug="failure-without-message", message="the failed run does not say why")
            continue
        slug, sentence = difference(one, other)
        if slug:
            yield Violation(code="G13", slug=slug, message=f"a run that goes on: {sentence}")
    if failed > 1:
        yield Violation(code="G13", slug="several-fail", message=f"{failed} runs fail together")


def _aftermath(
    lab: GraphLab, case: GraphCase, runner: RunsGraphs, base: GraphResult, before: tuple[str, ...]
) -> Iterator[Violation]:
    left = runner.settle() if isinstance(runner, CancelsGraphs) else ()
    if active := [name for name in left if name not in before]:
        yield still_active("G13", f"the run has ended, {', '.join(active)} went on")
    slug, sentence = course_difference(base, lab.run(case))
    if slug:
        yield Violation(code="G13", slug="next-run-differs", message=f"the next run on the same runner: {sentence}")
