"""One node of each type, with a config that fits the shared channels."""

from __future__ import annotations

from strategies.graphs.space import GraphSpace
from strategies.graphs.values import (
    ANSWERS,
    COMBINED,
    NUMBERS,
    TEXTS,
    draw_channel,
    draw_condition,
    draw_expression,
    draw_value,
)
from strategies.source import Source
from targets.graph.config import (
    FanOutConfig,
    GateConfig,
    GraphConfig,
    LoopConfig,
    ModelConfig,
    NodeConfig,
    Otherwise,
    ReasoningConfig,
    SubgraphConfig,
    TimeoutConfig,
    ToolConfig,
    TransformConfig,
)

WORKING = ("transform", "tool", "model", "gate", "reasoning")
"""Types of nodes that do something and have no body, the simplest first."""
CARELESS = 0.04
"""Share of nodes that share their step and may yet write a channel that combines nothing."""
READABLE = ("message", "answer", "note", "count", "log", "tags", "item")


def draw_working(source: Source, space: GraphSpace, *, beside: bool) -> NodeConfig:
    """The config of a node without a body; with `beside`, one that shares its step with others."""
    offered = [name for name in WORKING if space.offers(name)] or ["transform"]
    return draw_of_type(source, space, source.choice(offered), beside=beside)


def draw_of_type(source: Source, space: GraphSpace, node_type: str, *, beside: bool) -> NodeConfig:
    """The config of a node of this type without a body."""
    # Now and then nodes of one step write a channel that keeps one value, which is a typed failure.
    beside = beside and not source.boolean(CARELESS)
    match node_type:
        case "model":
            writes = draw_channel(source, space, ("tags", "log") if beside else ANSWERS)
            return ModelConfig(prompt=source.choice(("Answer.", "")), reads=draw_reads(source), writes=writes)
        case "reasoning":
            writes = draw_channel(source, space, ("tags", "log") if beside else TEXTS)
            thoughts = source.integer(1, 3)
            stop = source.choice(("", "a", "final"))
            return ReasoningConfig(reads=draw_reads(source), writes=writes, max_thoughts=thoughts, stop=stop)
        case "tool":
            writes = draw_channel(source, space, COMBINED if beside else (*NUMBERS, *ANSWERS, "items"))
            return ToolConfig(tool=source.choice(("search", "add")), reads=draw_reads(source), writes=writes)
        case "gate":
            strict = source.boolean(0.05)
            return GateConfig(condition=draw_condition(source), otherwise=Otherwise.FAIL if strict else Otherwise.STOP)
        case _:
            return TransformConfig(assign=draw_assign(source, space, beside=beside))


def draw_assign(source: Source, space: GraphSpace, *, beside: bool) -> dict[str, str]:
    """Expressions for one or two channels."""
    candidates = COMBINED if beside else (*NUMBERS, *ANSWERS)
    names = {draw_channel(source, space, candidates) for _ in range(source.integer(1, 2))}
    return {name: draw_expression(source, name) for name in sorted(names)}


def draw_reads(source: Source) -> tuple[str, ...]:
    """Channels that a model or tool is shown."""
    return tuple(dict.fromkeys(source.choice(READABLE) for _ in range(source.integer(1, 2))))


def draw_nesting(source: Source, space: GraphSpace, body: GraphConfig, *, beside: bool) -> NodeConfig | None:
    """The config of a node around this body, or None if the target has no type for it."""
    offered = [name for name in ("subgraph", "loop", "fan_out", "timeout") if space.offers(name)]
    match source.choice(offered) if offered else "":
        case "subgraph":
            return SubgraphConfig(body=body)
        case "loop":
            most = source.choice((1, 2, 3, 4, 12))
            until = draw_condition(source)
            return LoopConfig(body=body, until=until, min_iterations=source.integer(1, most), max_iterations=most)
        case "fan_out":
            over = source.choice(("items", *(("tags",) if not beside else ())))
            return FanOutConfig(over=over, item="item", body=body)
        case "timeout":
            fallback = {name: draw_value(source, name) for name in (draw_channel(source, space, COMBINED),)}
            return TimeoutConfig(seconds=source.integer(0, 40) / 100 + 0.005, body=body, fallback=fallback)
    return None
