"""The steps of a graph: run what is ready side by side, apply the writes, see which nodes are ready next."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from targets.graph.config import Node, Value
from targets.graph.expression import ExpressionError
from targets.graph.result import Failure, FailureKind, NodeRun, Outcome
from targets.graph.script import ScriptedFailure
from targets.graph.state import ConflictError, Write, WriteError, apply, check_conflicts
from targets.reference.faults import RequestFailed
from targets.reference.graph.handlers import Attempt, perform
from targets.reference.graph.journey import Journey, Progress, RunError, Scene
from targets.reference.graph.plan import Plan, choose

_RETRIED = (FailureKind.NODE, FailureKind.TIMEOUT)
"""Failures that another attempt may mend."""


@dataclass(frozen=True)
class Visit:
    """What one node did in one step."""

    run: NodeRun
    writes: tuple[Write, ...]
    inner: tuple[NodeRun, ...] = ()
    message: str | None = None
    failure: Failure | None = None


def start(plan: Plan, state: Mapping[str, Value]) -> Progress:
    """Before the first step: the entry points are ready."""
    return Progress(state=dict(state), ready=tuple(sorted(plan.entry, key=plan.order.__getitem__)))


async def travel(plan: Plan, progress: Progress, scene: Scene, journey: Journey, until: int | None = None) -> None:
    """Run steps until nothing is ready, or until so many have run. Raises `RunError`."""
    while progress.ready and (until is None or progress.step < until):
        if progress.step >= plan.max_steps:
            names = ", ".join(progress.ready)
            message = f"not finished after max_steps = {plan.max_steps} steps; next would be {names}"
            raise RunError(FailureKind.STEP_LIMIT, message, scene.path, progress.runs)
        # Gives way, so that a loop whose nodes never wait can still be timed out and cancelled.
        await asyncio.sleep(0)
        await _step(plan, progress, scene, journey)


async def run_body(plan: Plan, state: Mapping[str, Value], scene: Scene, journey: Journey) -> Progress:
    """Run the graph inside a node to its end. Raises `RunError`."""
    progress = start(plan, state)
    await travel(plan, progress, scene, journey)
    return progress


async def run_all(work: Sequence[Callable[[], Awaitable[Any]]], limit: int, reverse: bool) -> list[Any]:
    """Run work side by side, at most so many at once; the results stand in the order of the work."""
    if len(work) <= 1:
        return [await piece() for piece in work]
    slots = asyncio.Semaphore(limit)

    async def bounded(piece: Callable[[], Awaitable[Any]]) -> Any:
        async with slots:
            return await piece()

    order = reversed(range(len(work))) if reverse else range(len(work))
    tasks = {position: asyncio.ensure_future(bounded(work[position])) for position in order}
    try:
        await asyncio.wait(tasks.values())
    except asyncio.CancelledError:
        for task in tasks.values():
            task.cancel()
        await _all_ended(tasks.values())
        raise
    return [tasks[position].result() for position in range(len(work))]


async def _all_ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Wait for cancelled tasks, also when a second cancellation comes meanwhile: a timeout, then the caller's."""
    while pending := [task for task in tasks if not task.done()]:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(pending)


async def _step(plan: Plan, progress: Progress, scene: Scene, journey: Journey) -> None:
    step = progress.step + 1
    work = [functools.partial(_visit, plan, name, step, progress, scene, journey) for name in progress.ready]
    limit = min(plan.max_parallel, journey.max_parallel)
    visits: list[Visit] = await run_all(work, limit, journey.reverse)
    progress.runs += tuple(run for visit in visits for run in (*visit.inner, visit.run))
    for visit in visits:
        if visit.failure:
            raise RunError(visit.failure.kind, visit.failure.message, visit.failure.node, progress.runs)
    try:
        check_conflicts(plan.channels, [visit.writes for visit in visits])
        writes = [write for visit in visits for write in visit.writes]
        progress.state = apply(plan.channels, progress.state, writes)
    except (ConflictError, WriteError) as error:
        kind = FailureKind.CONFLICT if isinstance(error, ConflictError) else FailureKind.EXPRESSION
        raise RunError(kind, str(error), scene.path, progress.runs) from None
    progress.step = step
    progress.writes += tuple(writes)
    _advance(plan, progress, visits)


def _advance(plan: Plan, progress: Progress, visits: Sequence[Visit]) -> None:
    """Count the visits and make ready what the taken edges lead to."""
    ready: set[str] = set()
    for visit in visits:
        name = visit.run.node[-1]
        progress.visits[name] = progress.visits.get(name, 0) + 1
        if visit.message is not None:
            progress.message = visit.message
        for target in visit.run.taken:
            if target in plan.joins:
                progress.arrived[target] = progress.arrived.get(target, frozenset()) | {name}
            else:
                ready.add(target)
    # Judged when the whole step has arrived, so that the order of its nodes does not matter.
    for target, arrived in tuple(progress.arrived.items()):
        if arrived == plan.joins[target]:
            ready.add(target)
            del progress.arrived[target]
    progress.ready = tuple(sorted(ready, key=plan.order.__getitem__))


async def _visit(plan: Plan, name: str, step: int, progress: Progress, scene: Scene, journey: Journey) -> Visit:
    """Attempt a node until it succeeds or its retries are used up; never raises `RunError`."""
    node = plan.nodes[name]
    path = (*scene.path, name)
    began = journey.now()
    journey.active.append(path)
    number = 0
    try:
        for number in range(node.retries + 1):
            attempt = _attempt(plan, node, number, progress, scene, journey)
            error = await try_attempt(attempt)
            if error is None or error.failure.kind not in _RETRIED:
                break
        taken = () if error or attempt.blocked else _taken(plan, node, attempt)
    except RunError as raised:
        error, taken = raised, ()
    finally:
        journey.active.remove(path)
    run = NodeRun(
        node=path,
        step=step,
        trace_id=journey.trace_id,
        iterations=scene.iterations,
        outcome=Outcome.FAILED if error else Outcome.BLOCKED if attempt.blocked else Outcome.DONE,
        attempts=number + 1,
        writes=() if error else tuple(attempt.writes),
        taken=taken,
        started=began,
        ended=journey.now(),
    )
    inner = error.runs if error else tuple(attempt.runs)
    return Visit(run, run.writes, inner, attempt.message, error.failure if error else None)


def _attempt(plan: Plan, node: Node, number: int, progress: Progress, scene: Scene, journey: Journey) -> Attempt:
    return Attempt(
        node=node,
        body=plan.bodies.get(node.id),
        channels=plan.channels,
        state=progress.state,
        path=(*scene.path, node.id),
        visit=progress.visits.get(node.id, 0),
        number=number,
        scene=scene,
        journey=journey,
        run_body=run_body,
        run_all=run_all,
    )


async def try_attempt(attempt: Attempt) -> RunError | None:
    """One attempt; the error that ended it, if one did."""
    try:
        if attempt.node.timeout is None:
            await perform(attempt)
        else:
            async with asyncio.timeout(attempt.node.timeout):
                await perform(attempt)
    except TimeoutError:
        message = f"not done after timeout = {attempt.node.timeout:g} s"
        return RunError(FailureKind.TIMEOUT, message, attempt.path)
    except (ScriptedFailure, RequestFailed) as error:
        return RunError(FailureKind.NODE, str(error), attempt.path)
    except ConflictError as error:
        return RunError(FailureKind.CONFLICT, str(error), attempt.path, tuple(attempt.runs))
    except ExpressionError as error:
        return RunError(FailureKind.EXPRESSION, str(error), attempt.path, tuple(attempt.runs))
    except RunError as error:
        return error
    return None


def _taken(plan: Plan, node: Node, attempt: Attempt) -> tuple[str, ...]:
    """Edge conditions see the state with the node's own writes, not those of its neighbours."""
    try:
        state = apply(plan.channels, attempt.state, attempt.writes)
        return choose(node, plan.ways[node.id], state)
    except (ExpressionError, WriteError) as error:
        raise RunError(FailureKind.EXPRESSION, str(error), attempt.path, tuple(attempt.runs)) from None
