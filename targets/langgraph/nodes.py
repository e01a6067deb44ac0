"""Node functions and edge functions for LangGraph."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphRecursionError, InvalidUpdateError
from langgraph.runtime import Runtime

from targets.graph.config import GateConfig, Node, Reducer, Value
from targets.graph.expression import ExpressionError, parse
from targets.graph.result import FailureKind, NodeRun, Outcome
from targets.graph.state import Write
from targets.langgraph.record import Record, Visited
from targets.reference.graph.execution import try_attempt
from targets.reference.graph.handlers import Attempt
from targets.reference.graph.journey import Journey, Progress, RunError, Scene
from targets.reference.graph.plan import Plan, choose

RECORD = "inferfuzz_record"
"""Key of the run's `Record` among the configurable values."""
PREFIX = "state "
"""Stands before each channel's name, since LangGraph allows no state key that is also a node's name."""
VISITS = "visits"
"""State key that counts how often each node has run."""

Nested = Callable[[Plan, dict[str, Any], RunnableConfig], Any]
"""Runs the compiled graph of a plan; gives its final state, or an awaitable of it."""


class NodeFailed(Exception):  # noqa: N818 - how a node tells LangGraph that its attempt failed
    """An attempt ended with a typed failure."""

    def __init__(self, error: RunError) -> None:
        self.error = error
        super().__init__(str(error))


def retried(error: Exception) -> bool:
    """Whether LangGraph's retry policy shall try again."""
    return isinstance(error, NodeFailed) and error.error.failure.kind is FailureKind.NODE


def record_of(config: RunnableConfig) -> Record:
    """The run's notes."""
    return cast("Record", config["configurable"][RECORD])


def values_of(state: Mapping[str, Any]) -> dict[str, Value]:
    """Our channels out of LangGraph's state."""
    return {name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)}


def make_node(node: Node, asynchronous: bool, nested: Nested) -> Callable[..., Any]:
    """The function that LangGraph calls in each attempt at a node."""

    async def visit_async(state: dict[str, Any], config: RunnableConfig, runtime: Runtime[Any]) -> Any:
        return await _visit(node, state, config, runtime, nested)

    def visit(state: dict[str, Any], config: RunnableConfig, runtime: Runtime[Any]) -> Any:
        return _at_once(_visit(node, state, config, runtime, nested))

    return visit_async if asynchronous else visit


def make_route(node: Node, plan: Plan, targets: tuple[str, ...], asynchronous: bool) -> Callable[..., Any]:
    """The function that LangGraph asks for the edges to take, among those to these targets."""

    def route(state: dict[str, Any], config: RunnableConfig) -> list[str]:
        values = values_of(state)
        try:
            taken = _taken(node, plan, values)
        except ExpressionError as error:
            path = (*record_of(config).scene.path, node.id)
            raise NodeFailed(RunError(FailureKind.EXPRESSION, str(error), path)) from None
        record = record_of(config)
        record.routes[node.id, record.step(config["metadata"]["langgraph_step"])] = taken
        return [name for name in taken if name in targets]

    # LangGraph would move a plain function of an asynchronous run to a thread, which a virtual clock cannot wait for.
    async def route_async(state: dict[str, Any], config: RunnableConfig) -> list[str]:
        return route(state, config)

    return route_async if asynchronous else route


async def _visit(
    node: Node, state: dict[str, Any], config: RunnableConfig, runtime: Runtime[Any], nested: Nested
) -> Any:
    record = record_of(config)
    info = runtime.execution_info
    number = info.node_attempt - 1 if info else 0
    began = record.now()
    attempt = _attempt(node, state, config, record, number, nested)
    path = attempt.path
    record.journey.active.append(path)
    try:
        error = await try_attempt(attempt)
    finally:
        record.journey.active.remove(path)
    step = record.step(config["metadata"]["langgraph_step"])
    final = error is None or number == node.retries or error.failure.kind is not FailureKind.NODE
    if final:
        run = NodeRun(
            node=path,
            step=step,
            trace_id=record.journey.trace_id,
            iterations=record.scene.iterations,
            outcome=Outcome.FAILED if error else Outcome.BLOCKED if attempt.blocked else Outcome.DONE,
            attempts=number + 1,
            writes=() if error else tuple(attempt.writes),
            started=began,
            ended=record.now(),
        )
        record.visits.append(Visited(run, error.runs if error else tuple(attempt.runs), attempt.message))
        record.routes.setdefault((node.id, step), _static(node, record.plan))
    if error:
        raise NodeFailed(error)
    return _update(node, attempt, record.plan)


def _attempt(
    node: Node, state: dict[str, Any], config: RunnableConfig, record: Record, number: int, nested: Nested
) -> Attempt:
    return Attempt(
        node=node,
        body=record.plan.bodies.get(node.id),
        channels=record.plan.channels,
        state=values_of(state),
        path=(*record.scene.path, node.id),
        visit=state.get(VISITS, {}).get(node.id, 0),
        number=number,
        scene=record.scene,
        journey=record.journey,
        run_body=_body_runner(nested, config, record),
        run_all=_gathered if record.asynchronous else _in_turn,
    )


def _update(node: Node, attempt: Attempt, plan: Plan) -> Any:
    """The node's writes in LangGraph's terms; several writes to one key need a list of pairs."""
    writes = _collapsed(attempt.writes, plan)
    names = [name for name, _ in writes]
    visits = (VISITS, {node.id: 1})
    if len(set(names)) == len(names):
        return dict([*((PREFIX + name, value) for name, value in writes), visits])
    from langgraph.types import Command

    return Command(update=[*((PREFIX + name, value) for name, value in writes), visits])


def _collapsed(writes: list[Write], plan: Plan) -> list[Write]:
    """Without writes that a later one of the same node replaces; LangGraph takes one value a step for those."""
    last = {name: place for place, (name, _) in enumerate(writes)}
    return [
        (name, value)
        for place, (name, value) in enumerate(writes)
        if plan.channels[name].reducer is not Reducer.LAST or last[name] == place
    ]


def _body_runner(nested: Nested, config: RunnableConfig, outer: Record) -> Any:
    async def run_body(plan: Plan, state: Mapping[str, Value], scene: Scene, journey: Journey) -> Progress:
        record = Record(plan, journey, scene, outer.asynchronous, outer.now)
        inputs = {PREFIX + name: value for name, value in state.items()}
        inner: RunnableConfig = {"configurable": {RECORD: record}, "recursion_limit": plan.max_steps + 1}
        if "max_concurrency" in config:
            inner["max_concurrency"] = config["max_concurrency"]
        try:
            ended = nested(plan, inputs, inner)
            final = await ended if asyncio.iscoroutine(ended) else ended
        except NodeFailed as failed:
            raise failed.error from None
        except GraphRecursionError as error:
            raise RunError(FailureKind.STEP_LIMIT, str(error), scene.path) from None
        except InvalidUpdateError as error:
            raise RunError(FailureKind.CONFLICT, str(error), scene.path) from None
        writes = tuple(write for visit in record.ordered() for write in visit.run.writes)
        return Progress(state=values_of(final), ready=(), writes=writes, runs=record.runs())

    return run_body


def _static(node: Node, plan: Plan) -> tuple[str, ...]:
    return () if is_conditional(node, plan) else tuple(way.target for way in plan.ways[node.id])


def is_conditional(node: Node, plan: Plan) -> bool:
    """Whether a function decides which edges of the node are taken."""
    return node.type in ("router", "gate") or any(way.condition is not None for way in plan.ways[node.id])


def _taken(node: Node, plan: Plan, values: Mapping[str, Value]) -> tuple[str, ...]:
    if isinstance(node.config, GateConfig) and not parse(node.config.condition).holds(values):
        return ()
    return choose(node, plan.ways[node.id], values)


async def _gathered(work: list[Callable[[], Awaitable[Any]]], _: int, __: bool) -> list[Any]:
    return list(await asyncio.gather(*(piece() for piece in work)))


async def _in_turn(work: list[Callable[[], Awaitable[Any]]], _: int, __: bool) -> list[Any]:
    return [await piece() for piece in work]


def _at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    raise AssertionError("a node of a synchronous run waited")
