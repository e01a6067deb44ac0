"""What a case comes to on a target, as data that can be compared: with a bug, and without it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec.structs import replace

from fuzz.lab.graph_lab import GraphLab
from fuzz.lab.lab import Lab
from fuzz.lab.saving import Forking, Restoring
from fuzz.planted.edit import Edit
from fuzz.planted.fresh import planted_target
from fuzz.planted.model import Bug, Witness
from fuzz.planted.server_outcome import server_outcome
from targets import registry
from targets.contract import FaultPoint, InjectsFaults, SavesState, Target
from targets.graph.case import GraphCase, document_of
from targets.graph.contract import CancelsGraphs, GraphRejected
from targets.graph.result import GraphResult
from targets.http.case import HttpCase
from targets.trace import Trace


def edit_of(bug: Bug) -> Edit:
    """The edit that plants a bug."""
    return Edit(module=bug.module, before=bug.before, after=bug.after)


def outcomes(bug: Bug, case: Witness) -> tuple[object, object]:
    """What the case comes to without the bug, and with it. Runs in this process. Raises `EditError`."""
    plain = (
        _trace_outcome(_plain_lab(bug.target), case, bug.fault)
        if isinstance(case, Trace)
        else outcome(registry.find(bug.target), case, bug.fault)
    )
    with planted_target(bug.target, edit_of(bug)) as target:
        return plain, outcome(target, case, bug.fault)


def outcome(target: Target, case: Witness, fault: FaultPoint | None = None) -> object:
    """Everything that a user of the target sees of the case; an exception is an outcome too."""
    match case:
        case GraphCase():
            return _graph_outcome(target, case, fault)
        case HttpCase():
            return server_outcome(target, case, fault)
        case _:
            return _trace_outcome(Lab(target), case, fault)


@functools.cache
def _plain_lab(name: str) -> Lab:
    return Lab(registry.find(name))


def _trace_outcome(lab: Lab, case: Trace, fault: FaultPoint | None) -> object:
    literal = lab.begin(case)
    if fault:
        return lab.run(literal, fault)
    return [lab.base, *_detours(lab, literal)] if isinstance(lab.bench, SavesState) else lab.base


def _detours(lab: Lab, case: Trace) -> list[object]:
    """The run with its state saved and restored in the middle, and with its first request forked there."""
    middle = lab.base.steps // 2
    first = case.arrivals[0]
    twin = replace(first, request=replace(first.request, id="fork"), step=middle, abort=None, defect=None)
    forked = replace(case, arrivals=(*case.arrivals, twin))
    return [
        lab.run(case, around=partial(Restoring, step=middle)),
        lab.run(forked, around=partial(Forking, request_id=first.request.id, fork_id="fork", seed=1)),
    ]


def _graph_outcome(target: Target, case: GraphCase, fault: FaultPoint | None) -> object:
    lab = GraphLab(target)
    runner = lab.runner(case.knobs)
    try:
        if fault is not None and isinstance(runner, InjectsFaults):
            runner.inject(fault)
        if case.defect is not None:
            return _seen(lambda: lab.bench.validate(document_of(case)))
        seen = [_seen(lambda: lab.run(case))]
        seen += _paused(lab, case) if case.pause is not None else []
        return [*seen, runner.settle()] if isinstance(runner, CancelsGraphs) else seen
    finally:
        lab.close()


def _paused(lab: GraphLab, case: GraphCase) -> list[object]:
    """The run paused, a fork of it, and both continued."""
    assert case.pause is not None
    pause, runner = case.pause, lab.runner(case.knobs)
    # Only runners that resume and fork have these; a witness with a pause is for such a target.
    resumable: Any = runner
    stopped = _seen(lambda: resumable.pause(case.config, case.inputs, case.script, pause.after))
    if not isinstance(stopped, GraphResult) or not stopped.checkpoint:
        return [stopped]
    forked = _seen(lambda: resumable.fork(stopped.checkpoint, pause.writes))
    return [
        stopped,
        _seen(lambda: resumable.resume(forked)),
        _seen(lambda: resumable.resume(stopped.checkpoint)),
    ]


def _seen(call: Callable[[], object]) -> object:
    try:
        return call()
    except GraphRejected as error:
        return ("refused", str(error))
    except Exception as error:  # noqa: BLE001 - with a bug planted, anything may come
        return ("raised", type(error).__name__, str(error))
