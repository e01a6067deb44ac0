"""Graph cases: a config with its inputs, the script of its models and tools, knobs and a pause."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from strategies.graphs.shapes import draw_graph
from strategies.graphs.space import CHANNELS, GraphSpace
from strategies.graphs.values import TEXTS, draw_value
from strategies.source import Source, drawn
from targets.contract import KnobValue
from targets.graph.case import GraphCase, Pause
from targets.graph.config import GraphConfig, ModelConfig, Node, ReasoningConfig, ToolConfig, Value, body_of
from targets.graph.script import GraphInputs, NodeReplies, Reply, Script

MESSAGES = ("hello", "", "ü 🙂", "count < 3", "a" * 300, "line\nbreak", "\x00")


def graph_cases(space: GraphSpace) -> st.SearchStrategy[GraphCase]:
    """Valid graph cases for Hypothesis."""
    return drawn(lambda source: draw_case(source, space))


def draw_case(source: Source, space: GraphSpace) -> GraphCase:
    """A valid case."""
    config = draw_graph(source, space)
    return GraphCase(
        config=config,
        inputs=draw_inputs(source),
        script=draw_script(source, space, config),
        knobs=draw_knobs(source, space),
        pause=draw_pause(source) if source.boolean(0.5) else None,
    )


def draw_inputs(source: Source) -> GraphInputs:
    """A message, variables for some channels, and a context with or without a trace id."""
    names = [name for name in CHANNELS if source.boolean(0.15)]
    variables: dict[str, Value] = {name: fitting(source, name) for name in names}
    context = {"trace_id": source.choice(("trace-1", "ü", "a b"))} if source.boolean(0.4) else {}
    return GraphInputs(message=source.choice(MESSAGES), variables=variables, context=context)


def fitting(source: Source, channel: str) -> Value:
    """A value that the channel may hold at the start."""
    if channel in ("log", "tags"):
        return [*sorted({str(draw_value(source, channel)) for _ in range(source.integer(0, 3))})]
    return draw_value(source, channel)


def draw_script(source: Source, space: GraphSpace, config: GraphConfig) -> Script:
    """Replies for every tool and for some models; latencies are whole hundredths of a second."""
    entries = []
    for path, node in asking(config):
        if isinstance(node.config, ToolConfig) or source.boolean(0.6):
            count = source.integer(1, 3)
            replies = tuple(draw_reply(source, space, node) for _ in range(count))
            entries.append(NodeReplies(node=path, replies=replies))
    return Script(nodes=tuple(entries))


def draw_reply(source: Source, space: GraphSpace, node: Node) -> Reply:
    """What a model or tool does in one visit; most failures are mended by a retry."""
    assert isinstance(node.config, ModelConfig | ReasoningConfig | ToolConfig)
    channel = node.config.writes
    free = channel in (*TEXTS, "log", "tags")
    failing = (node.retries > 0 and source.boolean(0.5)) or source.boolean(0.01)
    slow = source.boolean(0.4)
    return Reply(
        value=None if free and source.boolean(0.6) else draw_value(source, channel),
        latency=source.integer(1, 40) / 100 if slow else 0.0,
        busy=source.integer(1, 30) / 100 if space.domain.deadlines and source.boolean(0.25) else 0.0,
        failures=source.integer(1, max(1, node.retries)) if failing else 0,
        partial=source.boolean(0.5),
    )


def draw_knobs(source: Source, space: GraphSpace) -> dict[str, KnobValue]:
    """Settings of some knobs."""
    return {knob.name: source.choice(knob.values) for knob in space.knobs if source.boolean(0.3)}


def draw_pause(source: Source) -> Pause:
    """An interruption after a few steps, with writes for a branch forked there."""
    names = [name for name in ("count", "answer", "tags", "log") if source.boolean(0.4)]
    return Pause(after=source.integer(1, 6), writes={name: draw_value(source, name) for name in names})


def asking(config: GraphConfig, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Every node that asks a model or tool, with its path."""
    for node in config.nodes:
        if isinstance(node.config, ModelConfig | ReasoningConfig | ToolConfig):
            yield (*path, node.id), node
        elif body := body_of(node):
            yield from asking(body, (*path, node.id))
