"""The runner that drives LangGraph: invoke or ainvoke, checkpoints, forks, cancellation."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphRecursionError, InvalidUpdateError
from langgraph.graph import StateGraph

from targets.graph.case import GraphCase
from targets.graph.clock import VirtualLoop
from targets.graph.config import GraphConfig, Value, channels_of
from targets.graph.contract import GraphRejected
from targets.graph.domain import GraphDomain
from targets.graph.expression import ExpressionError
from targets.graph.result import Failure, FailureKind, GraphResult, GraphStats, RunStatus
from targets.graph.script import GraphInputs, NodeReplies, Script
from targets.graph.state import WriteError, apply, initial_state
from targets.graph.validate import check, check_inputs, decode_config
from targets.langgraph.compile import build
from targets.langgraph.nodes import PREFIX, RECORD, NodeFailed, values_of
from targets.langgraph.record import Record
from targets.langgraph.standalone import standalone_script
from targets.reference.graph.journey import Journey, Progress, Scene
from targets.reference.graph.plan import Plan, make_plan

MAX_CHECKPOINTS = 200


@dataclass(frozen=True)
class Built:
    """A config and its graphs: the outermost one and the compiled bodies, by plan."""

    config: GraphConfig
    plan: Plan
    graph: StateGraph[Any, Any, Any, Any]


@dataclass(frozen=True)
class Paused:
    """A checkpoint: LangGraph's own configuration of it, and our notes up to it."""

    built: Built
    compiled: Any
    config: RunnableConfig
    record: Record


class LangGraphRunner:
    """Runs graph configs on LangGraph. Latencies are waited for, on a virtual clock, in asynchronous runs only."""

    def __init__(self, domain: GraphDomain, *, asynchronous: bool, checkpointer: bool, max_concurrency: int) -> None:
        # When a node fails, LangGraph shuts its thread pool down while neighbours still report to it, and the pool
        # logs a traceback for each of them.
        logging.getLogger("concurrent.futures").setLevel(logging.CRITICAL)
        self.domain = domain
        self._asynchronous = asynchronous
        self._checkpointer = checkpointer
        self._max_concurrency = max_concurrency
        self._loop: VirtualLoop | None = None
        self._active: list[tuple[str, ...]] = []
        self._built: dict[bool, Built] = {}
        self._paused: OrderedDict[str, Paused] = OrderedDict()
        self._named = 0

    def validate(self, document: object) -> None:
        """Raise `GraphRejected` for a config document outside the domain."""
        decode_config(document, self.domain)

    def run(self, config: GraphConfig, inputs: GraphInputs, script: Script) -> GraphResult:
        """Run to the end. Raises `GraphRejected`."""
        asynchronous = self._asynchronous or script.cancel_at is not None
        built = self._build(config, asynchronous)
        record = self._record(built, inputs, script, asynchronous)
        compiled = built.graph.compile(checkpointer=InMemorySaver() if self._checkpointer else None)
        state = initial_state(config, inputs)
        return self._invoke(compiled, _input(state), self._settings(built, record), record, script.cancel_at)

    def pause(self, config: GraphConfig, inputs: GraphInputs, script: Script, steps: int) -> GraphResult:
        """Run so many steps, interrupted after each. Raises `GraphRejected`."""
        built = self._build(config, self._asynchronous)
        record = self._record(built, inputs, script, self._asynchronous)
        compiled = built.graph.compile(checkpointer=InMemorySaver())
        settings = self._settings(built, record)
        given: dict[str, Any] | None = _input(initial_state(config, inputs))
        for _ in range(steps):
            result = self._invoke(compiled, given, settings, record, None, interrupt_after="*")
            given = None
            if result.failure:
                return result
            snapshot = compiled.get_state(_thread(settings))
            if not snapshot.next:
                return result
        name = self._keep(Paused(built, compiled, snapshot.config, record))
        return msgspec.structs.replace(result, status=RunStatus.PAUSED, checkpoint=name)

    def resume(self, checkpoint: str) -> GraphResult:
        """Continue to the end. Raises `GraphRejected` for an unknown checkpoint."""
        found = self._found(checkpoint)
        record = found.record.copy()
        settings = self._settings(found.built, record, found.config)
        return self._invoke(found.compiled, None, settings, record, None)

    def fork(self, checkpoint: str, writes: Mapping[str, Value]) -> str:
        """A branch with these writes, made as by the node that ran last. Raises `GraphRejected`."""
        found = self._found(checkpoint)
        try:
            apply(channels_of(found.built.config), self.state_at(checkpoint), writes.items())
        except WriteError as error:
            raise GraphRejected(f"writes.{error.channel}", writes[error.channel], str(error)) from None
        last = found.record.ordered()[-1].run.node[-1]
        values = {PREFIX + name: value for name, value in writes.items()}
        config = found.compiled.update_state(found.config, values, as_node=last)
        return self._keep(Paused(found.built, found.compiled, config, found.record.copy()))

    def state_at(self, checkpoint: str) -> dict[str, Value]:
        """The channels at a checkpoint. Raises `GraphRejected` for an unknown one."""
        found = self._found(checkpoint)
        return values_of(found.compiled.get_state(found.config).values)

    def settle(self) -> tuple[str, ...]:
        """Nodes still active although no run is; then end them."""
        left = tuple("/".join(path) for path in self._active)
        if self._loop and (tasks := asyncio.all_tasks(self._loop)):
            self._loop.run_until_complete(asyncio.wait(tasks))
        return left

    def script_of(self, case: GraphCase, result: GraphResult) -> str:
        """The case as a script that needs LangGraph alone."""
        return standalone_script(case, result)

    def close(self) -> None:
        """Close the runner's loop and forget its checkpoints."""
        self._paused.clear()
        if self._loop:
            self._loop.close()
            self._loop = None

    def _invoke(
        self,
        compiled: Any,
        given: dict[str, Any] | None,
        settings: RunnableConfig,
        record: Record,
        cancel_at: float | None,
        **options: Any,
    ) -> GraphResult:
        """One call of invoke or ainvoke, with what it raises as a typed failure."""
        failure: Failure | None = None
        state: dict[str, Value] = {}
        record.begin()
        try:
            if record.asynchronous:
                state = values_of(self._drive(compiled.ainvoke(given, settings, **options), cancel_at))
            else:
                state = values_of(compiled.invoke(given, settings, **options))
        except NodeFailed as error:
            failure = error.error.failure
        except GraphRecursionError as error:
            failure = Failure(kind=FailureKind.STEP_LIMIT, message=str(error))
        except InvalidUpdateError as error:
            failure = Failure(kind=FailureKind.CONFLICT, message=str(error))
        except ExpressionError as error:
            failure = Failure(kind=FailureKind.EXPRESSION, message=str(error))
        except asyncio.CancelledError:
            return _result(record, RunStatus.CANCELLED, {}, None)
        return _result(record, RunStatus.FAILED if failure else RunStatus.COMPLETED, state, failure)

    def _drive(self, work: Any, cancel_at: float | None) -> Any:
        loop = self._clock()
        task = loop.create_task(work)
        if cancel_at is not None:
            loop.call_later(cancel_at, task.cancel)
        return loop.run_until_complete(task)

    def _build(self, config: GraphConfig, asynchronous: bool) -> Built:
        # The same config object often runs many times in a row; building its graphs is the larger part of a run.
        known = self._built.get(asynchronous)
        if known is None or known.config is not config:
            check(config, self.domain)
            plan = make_plan(config, channels_of(config))
            bodies: dict[int, Any] = {}

            def nested(plan: Plan, state: dict[str, Any], settings: RunnableConfig) -> Any:
                if id(plan) not in bodies:
                    bodies[id(plan)] = build(plan, asynchronous, nested).compile()
                compiled = bodies[id(plan)]
                return compiled.ainvoke(state, settings) if asynchronous else compiled.invoke(state, settings)

            known = self._built[asynchronous] = Built(config, plan, build(plan, asynchronous, nested))
        return known

    def _record(self, built: Built, inputs: GraphInputs, script: Script, asynchronous: bool) -> Record:
        check_inputs(built.config, inputs)
        self._named += 1
        journey = Journey(
            trace_id=inputs.context.get("trace_id") or f"run-{self._named}",
            script=script if asynchronous else _without_waiting(script),
            plan=built.plan,
            progress=Progress(state={}, ready=()),
            active=self._active,
        )
        began = self._clock().time()
        return Record(built.plan, journey, Scene(), asynchronous, lambda: round(self._clock().time() - began, 9))

    def _clock(self) -> VirtualLoop:
        if self._loop is None:
            self._loop = VirtualLoop()
        return self._loop

    def _settings(self, built: Built, record: Record, checkpoint: RunnableConfig | None = None) -> RunnableConfig:
        self._named += 1
        known = dict(checkpoint["configurable"]) if checkpoint else {"thread_id": f"thread-{self._named}"}
        limit = built.config.limits.max_steps + 1
        settings: RunnableConfig = {"configurable": {**known, RECORD: record}, "recursion_limit": limit}
        parallel = min(self._max_concurrency or built.plan.max_parallel, built.plan.max_parallel)
        settings["max_concurrency"] = parallel
        return settings

    def _keep(self, paused: Paused) -> str:
        self._named += 1
        name = f"checkpoint-{self._named}"
        self._paused[name] = paused
        if len(self._paused) > MAX_CHECKPOINTS:
            self._paused.popitem(last=False)
        return name

    def _found(self, name: str) -> Paused:
        if name not in self._paused:
            raise GraphRejected("checkpoint", name, f"one of the last {MAX_CHECKPOINTS} of this runner")
        return self._paused[name]


def _thread(settings: RunnableConfig) -> RunnableConfig:
    return {"configurable": {"thread_id": settings["configurable"]["thread_id"]}}


def _input(state: Mapping[str, Value]) -> dict[str, Any]:
    return {PREFIX + name: value for name, value in state.items()}


def _without_waiting(script: Script) -> Script:
    entries = tuple(
        NodeReplies(
            node=entry.node, replies=tuple(msgspec.structs.replace(reply, latency=0.0) for reply in entry.replies)
        )
        for entry in script.nodes
    )
    return Script(nodes=entries)


def _result(record: Record, status: RunStatus, state: dict[str, Value], failure: Failure | None) -> GraphResult:
    runs = record.runs()
    return GraphResult(
        status=status,
        trace_id=record.journey.trace_id,
        message=record.message(),
        state=state,
        nodes=runs,
        stats=GraphStats(
            steps=record.steps(),
            visits=len(runs),
            attempts=sum(run.attempts for run in runs),
            elapsed=record.now(),
        ),
        failure=failure,
    )
