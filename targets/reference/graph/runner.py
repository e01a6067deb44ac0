"""The graph runner: validates a config, runs it, pauses, resumes, forks and cancels runs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from targets.contract import FaultPoint
from targets.graph.case import GraphCase
from targets.graph.clock import VirtualLoop
from targets.graph.config import GraphConfig, Value, channels_of
from targets.graph.contract import GraphRejected
from targets.graph.domain import DEFAULT_GRAPH_DOMAIN, GraphDomain
from targets.graph.result import Failure, FailureKind, GraphResult, GraphStats, RunStatus
from targets.graph.script import GraphInputs, Script
from targets.graph.state import WriteError, apply, initial_state
from targets.graph.validate import check, check_inputs, decode_config
from targets.reference.faults import GRAPH_POINTS, FaultInjector, RequestFailed
from targets.reference.graph.execution import start, travel
from targets.reference.graph.journey import Journey, Model, Progress, RunError, Scene
from targets.reference.graph.plan import Plan, make_plan

T = TypeVar("T")

MAX_CHECKPOINTS = 1000
"""The oldest checkpoint is dropped when there are more."""


@dataclass(frozen=True)
class Checkpoint:
    """A paused run; the progress is never changed, only copied."""

    config: GraphConfig
    script: Script
    trace_id: str
    progress: Progress
    elapsed: float


class CancelledByCaller(Exception):  # noqa: N818 - what happened, not an error
    """The caller cancelled the run."""


class GraphRunner:
    """Runs graph configs on asyncio; without a loop of the caller's, on a virtual clock."""

    def __init__(
        self,
        *,
        domain: GraphDomain = DEFAULT_GRAPH_DOMAIN,
        model: Model | None = None,
        max_parallel: int = 64,
        order: str = "declared",
        faults: FaultInjector | None = None,
    ) -> None:
        self.domain = domain
        self._model = model
        self._max_parallel = max_parallel
        self._reverse = order == "reversed"
        self._faults = faults or FaultInjector(GRAPH_POINTS)
        self._checkpoints: OrderedDict[str, Checkpoint] = OrderedDict()
        self._named = 0
        self._active: list[tuple[str, ...]] = []
        self._planned: tuple[GraphConfig, Plan] | None = None
        self._loop: VirtualLoop | None = None

    def validate(self, document: object) -> None:
        """Raise `GraphRejected` for a config document outside the domain."""
        decode_config(document, self.domain)

    def run(self, config: GraphConfig, inputs: GraphInputs, script: Script) -> GraphResult:
        """Run to the end on the virtual clock. Raises `GraphRejected`."""
        return self._drive(self.run_async(config, inputs, script))

    async def run_async(
        self, config: GraphConfig, inputs: GraphInputs, script: Script, steps: int | None = None
    ) -> GraphResult:
        """Run to the end, or for so many steps, on the running loop. Raises `GraphRejected`."""
        journey = self._journey(config, inputs, script)
        return await self._finish(config, journey, steps)

    def pause(self, config: GraphConfig, inputs: GraphInputs, script: Script, steps: int) -> GraphResult:
        """Run so many steps on the virtual clock. Raises `GraphRejected`."""
        return self._drive(self.run_async(config, inputs, script, steps))

    def resume(self, checkpoint: str) -> GraphResult:
        """Continue on the virtual clock. Raises `GraphRejected` for an unknown checkpoint."""
        found = self._found(checkpoint)
        journey = self._new_journey(found.config, found.script, found.trace_id, found.progress.copy())
        return self._drive(self._finish(found.config, journey, None, found.elapsed))

    def fork(self, checkpoint: str, writes: Mapping[str, Value]) -> str:
        """A new checkpoint with these writes.

        Raises `GraphRejected` for writes that do not fit, and `RequestFailed` if it cannot be kept.
        """
        found = self._found(checkpoint)
        progress = found.progress.copy()
        try:
            progress.state = apply(channels_of(found.config), progress.state, writes.items())
        except WriteError as error:
            raise GraphRejected(f"writes.{error.channel}", writes[error.channel], str(error)) from None
        return self._store(replace(found, progress=progress))

    def state_at(self, checkpoint: str) -> dict[str, Value]:
        """The channels at a checkpoint. Raises `GraphRejected` for an unknown one."""
        return dict(self._found(checkpoint).progress.state)

    def fault_points(self) -> dict[str, int]:
        """Points at which a fault can be injected, and how often each was passed."""
        return self._faults.passed

    def inject(self, fault: FaultPoint | None) -> None:
        """Let one pass fail, or no longer. Raises `UsageError` for an unknown point."""
        self._faults.arm(fault)

    def settle(self) -> tuple[str, ...]:
        """Nodes still active although no run is; then end them."""
        left = tuple("/".join(path) for path in self._active)
        if self._loop and (tasks := asyncio.all_tasks(self._loop)):
            self._loop.run_until_complete(asyncio.wait(tasks))
        return left

    def run_together(self, cases: Sequence[GraphCase]) -> tuple[GraphResult, ...]:
        """Run valid cases side by side. Raises `GraphRejected`."""
        return self._drive(self._together(cases))

    def close(self) -> None:
        """Close the runner's loop and forget its checkpoints."""
        self._checkpoints.clear()
        if self._loop:
            self._loop.close()
            self._loop = None

    async def _together(self, cases: Sequence[GraphCase]) -> tuple[GraphResult, ...]:
        runs = [self.run_async(case.config, case.inputs, case.script) for case in cases]
        return tuple(await asyncio.gather(*runs))

    def _drive(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            self._loop = VirtualLoop()
        return self._loop.run_until_complete(work)

    def _journey(self, config: GraphConfig, inputs: GraphInputs, script: Script) -> Journey:
        plan = self._plan(config)
        check_inputs(config, inputs)
        self._named += 1
        trace_id = inputs.context.get("trace_id") or f"run-{self._named}"
        return self._new_journey(config, script, trace_id, start(plan, initial_state(config, inputs)))

    def _new_journey(self, config: GraphConfig, script: Script, trace_id: str, progress: Progress) -> Journey:
        return Journey(
            trace_id=trace_id,
            script=script,
            plan=self._plan(config),
            progress=progress,
            active=self._active,
            model=self._model,
            max_parallel=self._max_parallel,
            reverse=self._reverse,
            faults=self._faults,
        )

    def _plan(self, config: GraphConfig) -> Plan:
        # The same config object often runs many times in a row; it is frozen, so its plan stays right.
        if self._planned is None or self._planned[0] is not config:
            check(config, self.domain)
            self._planned = (config, make_plan(config, channels_of(config)))
        return self._planned[1]

    async def _finish(
        self, config: GraphConfig, journey: Journey, steps: int | None, elapsed: float = 0.0
    ) -> GraphResult:
        loop = asyncio.get_running_loop()
        journey.began = loop.time() - elapsed
        failure = None
        try:
            async with asyncio.timeout_at(_ends(config, journey)):
                await _cancellable(journey, steps)
        except TimeoutError:
            failure = Failure(kind=FailureKind.TIMEOUT, message=f"not done after {config.limits.timeout} s")
        except RunError as error:
            failure = error.failure
        except CancelledByCaller:
            return _result(journey, RunStatus.CANCELLED)
        if failure:
            return _result(journey, RunStatus.FAILED, failure)
        if not journey.progress.ready:
            return _result(journey, RunStatus.COMPLETED)
        kept = Checkpoint(config, journey.script, journey.trace_id, journey.progress.copy(), journey.now())
        try:
            return _result(journey, RunStatus.PAUSED, checkpoint=self._store(kept))
        except RequestFailed as failed:
            return _result(journey, RunStatus.FAILED, Failure(kind=FailureKind.CHECKPOINT, message=str(failed)))

    def _store(self, checkpoint: Checkpoint) -> str:
        """The name under which it is kept. Raises `RequestFailed` if it cannot be."""
        self._faults.check("checkpoint")
        self._named += 1
        name = f"{checkpoint.trace_id}@{checkpoint.progress.step}#{self._named}"
        self._checkpoints[name] = checkpoint
        if len(self._checkpoints) > MAX_CHECKPOINTS:
            self._checkpoints.popitem(last=False)
        return name

    def _found(self, name: str) -> Checkpoint:
        try:
            return self._checkpoints[name]
        except KeyError:
            raise GraphRejected("checkpoint", name, f"one of the last {MAX_CHECKPOINTS} of this runner") from None


async def _cancellable(journey: Journey, steps: int | None) -> None:
    """Travel until the end, or until the script cancels. Raises `RunError` and `CancelledByCaller`."""
    work = travel(journey.plan, journey.progress, Scene(), journey, steps)
    if journey.script.cancel_at is None:
        await work
        return
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    timer = loop.call_at(journey.began + journey.script.cancel_at, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        outer = asyncio.current_task()
        if outer is not None and outer.cancelling():
            raise
        raise CancelledByCaller from None
    finally:
        timer.cancel()


def _ends(config: GraphConfig, journey: Journey) -> float | None:
    return None if config.limits.timeout is None else journey.began + config.limits.timeout


def _result(journey: Journey, status: RunStatus, failure: Failure | None = None, checkpoint: str = "") -> GraphResult:
    progress = journey.progress
    return GraphResult(
        status=status,
        trace_id=journey.trace_id,
        message=progress.message,
        state=dict(progress.state),
        nodes=progress.runs,
        stats=GraphStats(
            steps=progress.step,
            visits=len(progress.runs),
            attempts=sum(run.attempts for run in progress.runs),
            elapsed=journey.now(),
        ),
        failure=failure,
        checkpoint=checkpoint,
    )
