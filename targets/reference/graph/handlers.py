"""What each type of node does in one attempt."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from targets.graph.clock import spend
from targets.graph.config import (
    ExitConfig,
    FanOutConfig,
    GateConfig,
    LoopConfig,
    ModelConfig,
    Node,
    Otherwise,
    ReasoningConfig,
    SubgraphConfig,
    TimeoutConfig,
    ToolConfig,
    TransformConfig,
    Value,
)
from targets.graph.expression import ExpressionError, parse
from targets.graph.result import FailureKind, NodeRun
from targets.graph.script import ScriptedFailure, answer, reply_for
from targets.graph.state import Write, check_conflicts
from targets.reference.graph.journey import Journey, Path, Progress, RunError, Scene
from targets.reference.graph.plan import Plan

RunBody = Callable[[Plan, Mapping[str, Value], Scene, Journey], Awaitable[Progress]]
"""Runs a body to its end on a state."""
RunAll = Callable[[list[Callable[[], Awaitable[Any]]], int, bool], Awaitable[list[Any]]]
"""Runs so many pieces of work side by side."""


@dataclass
class Attempt:
    """One attempt at one node: what it may read, and what it leaves behind."""

    node: Node
    body: Plan | None
    channels: Mapping[str, Any]
    state: Mapping[str, Value]
    path: Path
    visit: int
    number: int
    scene: Scene
    journey: Journey
    run_body: RunBody
    run_all: RunAll
    writes: list[Write] = field(default_factory=list)
    runs: list[NodeRun] = field(default_factory=list)
    """What ran inside the node."""
    blocked: bool = False
    message: str | None = None

    def keep(self, progress: Progress) -> None:
        """Take over what a body wrote and ran."""
        self.writes += progress.writes
        self.runs += progress.runs


async def perform(attempt: Attempt) -> None:
    """Do what the node's type asks for.

    Raises `ScriptedFailure`, `RequestFailed`, `RunError`, or `ExpressionError` for a value that does not fit.
    """
    handler = HANDLERS.get(attempt.node.type)
    if handler is not None:
        await handler(attempt, attempt.node.config)


async def _model(attempt: Attempt, config: ModelConfig) -> None:
    await _consult(attempt, _question(config.prompt, config.reads, attempt.state), config.writes, 0)


async def _tool(attempt: Attempt, config: ToolConfig) -> None:
    await _consult(attempt, _question(config.tool, config.reads, attempt.state), config.writes, 0, tool=True)


async def _reasoning(attempt: Attempt, config: ReasoningConfig) -> None:
    question = _question(config.prompt, config.reads, attempt.state)
    for number in range(config.max_thoughts):
        attempt.writes.clear()
        thought = await _consult(attempt, question, config.writes, number)
        if config.stop and config.stop in as_text(thought):
            return
        question = f"{question}\n{as_text(thought)}"


async def _gate(attempt: Attempt, config: GateConfig) -> None:
    attempt.blocked = not parse(config.condition).holds(attempt.state)
    if attempt.blocked and config.otherwise is Otherwise.FAIL:
        raise RunError(FailureKind.GATE, f"the condition {config.condition!r} does not hold", attempt.path)


async def _transform(attempt: Attempt, config: TransformConfig) -> None:
    attempt.writes += [(name, parse(text)(attempt.state)) for name, text in config.assign.items()]


async def _loop(attempt: Attempt, config: LoopConfig) -> None:
    state = attempt.state
    until = parse(config.until)
    for number in range(config.max_iterations):
        progress = await _run_body(attempt, state, number)
        attempt.keep(progress)
        state = progress.state
        if number + 1 >= config.min_iterations and until.holds(state):
            return
    if config.otherwise is Otherwise.FAIL:
        message = f"{config.until!r} does not hold after {config.max_iterations} iterations"
        raise RunError(FailureKind.LOOP_LIMIT, message, attempt.path, tuple(attempt.runs))


async def _fan_out(attempt: Attempt, config: FanOutConfig) -> None:
    items = attempt.state[config.over]
    if not isinstance(items, list):
        raise ExpressionError(f"channel {config.over!r} holds no list to fan out over")
    if len(items) > config.max_items:
        message = f"channel {config.over!r} has {len(items)} items; at most {config.max_items} are allowed"
        raise RunError(FailureKind.ITEM_LIMIT, message, attempt.path)
    states = [{**attempt.state, config.item: item} for item in items]
    work: list[Callable[[], Awaitable[Any]]] = [
        functools.partial(_settled, attempt, state, number) for number, state in enumerate(states)
    ]
    limit = attempt.body.max_parallel if attempt.body else 1
    ended = await attempt.run_all(work, min(limit, attempt.journey.max_parallel), attempt.journey.reverse)
    for progress in ended:
        if isinstance(progress, RunError):
            raise RunError(progress.failure.kind, str(progress), progress.failure.node, (*attempt.runs, *progress.runs))
        attempt.keep(progress)
    check_conflicts(attempt.channels, [progress.writes for progress in ended])


async def _timeout(attempt: Attempt, config: TimeoutConfig) -> None:
    try:
        async with asyncio.timeout(config.seconds):
            progress = await _run_body(attempt, attempt.state)
    except TimeoutError:
        attempt.writes += config.fallback.items()
    else:
        attempt.keep(progress)


async def _subgraph(attempt: Attempt, _: SubgraphConfig) -> None:
    attempt.keep(await _run_body(attempt, attempt.state))


async def _exit(attempt: Attempt, config: ExitConfig) -> None:
    attempt.message = as_text(attempt.state[config.reads])


HANDLERS: dict[str, Callable[[Attempt, Any], Awaitable[None]]] = {
    "model": _model,
    "tool": _tool,
    "reasoning": _reasoning,
    "gate": _gate,
    "transform": _transform,
    "loop": _loop,
    "fan_out": _fan_out,
    "timeout": _timeout,
    "subgraph": _subgraph,
    "exit": _exit,
}
"""Entry nodes and routers have nothing to do: their edges decide."""


async def _run_body(attempt: Attempt, state: Mapping[str, Value], *round_: int) -> Progress:
    assert attempt.body is not None
    scene = attempt.scene.inside(attempt.node.id, *round_)
    return await attempt.run_body(attempt.body, state, scene, attempt.journey)


async def _settled(attempt: Attempt, state: Mapping[str, Value], number: int) -> Progress | RunError:
    # Siblings run to their end even if one fails, so the outcome does not depend on who was faster.
    try:
        return await _run_body(attempt, state, number)
    except RunError as error:
        return error


async def _consult(attempt: Attempt, question: str, channel: str, thought: int, *, tool: bool = False) -> Value:
    """Ask the model or tool, write its answer, and return it."""
    index = attempt.visit + sum(attempt.scene.iterations) + thought
    reply = reply_for(attempt.journey.script, attempt.path, index)
    spend(reply.busy)
    attempt.journey.faults.check("tool" if tool else "model")
    if reply.latency:
        await asyncio.sleep(reply.latency)
    fails = attempt.number < reply.failures
    if fails and not reply.partial:
        raise ScriptedFailure(f"attempt {attempt.number + 1} of {reply.failures} that fail")
    model = None if tool or reply.value is not None else attempt.journey.model
    value: Value = model(question) if model else answer(reply, question)
    attempt.writes.append((channel, value))
    if fails:
        raise ScriptedFailure(f"attempt {attempt.number + 1} of {reply.failures} that fail after their write")
    return value


def _question(prompt: str, reads: Iterable[str], state: Mapping[str, Value]) -> str:
    return "\n".join([prompt, *(f"{name}: {as_text(state[name])}" for name in reads)])


def as_text(value: Value) -> str:
    """A channel's value as a message: texts as they are, null as nothing, everything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
