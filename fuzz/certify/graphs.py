"""The steps of a certification on a graph runner."""

from __future__ import annotations

import random
from typing import NoReturn

import msgspec

from fuzz.certify.subject import NotApplicable, Proof, StepFailed, Steps, Subject
from strategies.graphs import generate_graph_case, graph_space_of
from targets.graph.case import GraphCase, document_of
from targets.graph.contract import GraphRejected, RunsTogether
from targets.graph.result import GraphResult, RunStatus

CROWD = 4


def load(subject: Subject) -> Proof:
    """The runner opens."""
    subject.fresh().close()
    return Proof(f"{type(subject.opened).__name__}")


def first_result(subject: Subject) -> Proof:
    """A generated graph runs to its end."""
    for number in range(CROWD):
        result = _run(subject, _case(subject, number))
        if result.status is RunStatus.COMPLETED:
            return Proof(f"{len(result.nodes)} nodes ran")
    raise StepFailed(f"none of {CROWD} valid graphs completed; the last: {result.failure}")


def canary(subject: Subject) -> Proof:
    """The same graphs on two fresh runners give the same results."""
    runs = [[_run(subject, _case(subject, number)) for number in range(CROWD)] for _ in range(2)]
    for first, second in zip(*runs, strict=True):
        if (first.status, first.state) != (second.status, second.state):
            raise StepFailed(
                f"two runs of one graph differ: {first.status} {first.state}, {second.status} {second.state}"
            )
    return Proof(f"{CROWD} graphs, each twice alike", proof=repr([(run.status, run.state) for run in runs[0]]))


def batch(subject: Subject) -> Proof:
    """Several runs side by side end as each does alone."""
    if not isinstance(subject.opened, RunsTogether):
        raise NotApplicable("it does not run graphs side by side (RunsTogether)")
    cases = [_case(subject, number) for number in range(CROWD)]
    together = [result.status for result in subject.opened.run_together(cases)]
    alone = [_run(subject, case).status for case in cases]
    if together != alone:
        raise StepFailed(f"side by side they end {together}, alone {alone}")
    return Proof(f"{CROWD} runs side by side")


def rejection(subject: Subject) -> Proof:
    """An invalid graph is refused, and the next one served."""
    case = generate_graph_case(random.Random(0), graph_space_of(subject.target), malformed=True)
    try:
        subject.opened.validate(document_of(case))
    except GraphRejected as refusal:
        _run(subject, _case(subject, 0))
        return Proof(f"{refusal.field} refused, the next graph served")
    raise StepFailed(f"a graph with the defect {case.defect.name if case.defect else ''!r} was not refused")


def wedge(subject: Subject) -> NoReturn:
    """Hold a runner for ever; the caller's deadline must end it."""
    subject.fresh()
    while True:
        pass


STEPS: Steps = {
    "load": load,
    "first result": first_result,
    "canary": canary,
    "batch": batch,
    "rejection": rejection,
}
WEDGE = wedge


def _run(subject: Subject, case: GraphCase) -> GraphResult:
    runner = subject.fresh()
    try:
        result: GraphResult = runner.run(case.config, case.inputs, case.script)
    finally:
        runner.close()
    return result


def _case(subject: Subject, number: int) -> GraphCase:
    """The number-th generated case, the same in every process; pauses and knobs are left out."""
    case = generate_graph_case(random.Random(number), graph_space_of(subject.target))
    return msgspec.structs.replace(case, pause=None, knobs={})
