"""The documented domain of graph configs: decode a document, then name every breach with its place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from targets.codec import DecodeError, convert
from targets.errors import nearest
from targets.graph.config import (
    MESSAGE,
    Channel,
    EntryConfig,
    ExitConfig,
    FanOutConfig,
    GateConfig,
    GraphConfig,
    Join,
    LoopConfig,
    ModelConfig,
    Node,
    ReasoningConfig,
    TimeoutConfig,
    ToolConfig,
    TransformConfig,
    body_of,
    channels_of,
)
from targets.graph.contract import GraphRejected
from targets.graph.domain import DEFAULT_GRAPH_DOMAIN, GraphDomain
from targets.graph.expression import ExpressionError, parse
from targets.graph.script import GraphInputs
from targets.graph.state import fits, initial_value
from targets.graph.structure import GraphBreach, name_breach, structure_breaches

MAX_THOUGHTS = 32
MAX_WEIGHT = 1_000_000.0


def decode_config(document: object, domain: GraphDomain = DEFAULT_GRAPH_DOMAIN) -> GraphConfig:
    """The config that a document of plain dicts and lists holds. Raises `GraphRejected` for any breach."""
    if breach := _oversize(document, domain):
        raise GraphRejected(breach.field, breach.value, breach.allowed)
    try:
        config = convert(document, GraphConfig)
    except DecodeError as error:
        raise GraphRejected(error.where or "the config", _at(document, error.where), str(error)) from None
    check(config, domain)
    return config


def check(config: GraphConfig, domain: GraphDomain = DEFAULT_GRAPH_DOMAIN) -> None:
    """Raise `GraphRejected` for the first breach, if there is one."""
    for breach in breaches(config, domain):
        raise GraphRejected(breach.field, breach.value, breach.allowed)


def check_run(config: GraphConfig, inputs: GraphInputs, domain: GraphDomain) -> None:
    """Raise `GraphRejected` for the first breach of a config or its inputs."""
    check(config, domain)
    check_inputs(config, inputs)


def check_inputs(config: GraphConfig, inputs: GraphInputs) -> None:
    """Raise `GraphRejected` for a missing or undeclared variable."""
    for name, value in inputs.variables.items():
        channel = config.state.get(name)
        if channel is None:
            raise GraphRejected(f"variables.{name}", value, f"a declared channel.{nearest(name, config.state)}")
        if not fits(channel, value):
            raise GraphRejected(f"variables.{name}", value, f"a value for a channel with reducer {channel.reducer}")
    for node in config.nodes:
        for name in node.config.requires if isinstance(node.config, EntryConfig) else ():
            if name not in inputs.variables:
                raise GraphRejected("variables", sorted(inputs.variables), f"{name!r}, which {node.id!r} requires")


def breaches(config: GraphConfig, domain: GraphDomain = DEFAULT_GRAPH_DOMAIN) -> Iterator[GraphBreach]:
    """Every way in which a decoded config leaves the domain; none for a valid one."""
    count = sum(1 for _ in _all_nodes(config, domain.max_depth + 1))
    if count > domain.max_nodes:
        yield GraphBreach("nodes", f"{count} nodes", f"at most {domain.max_nodes} nodes, those in bodies included")
        return
    yield from _channel_breaches(config, domain)
    yield from _graph_breaches(config, domain, "", channels_of(config), 0)


def _all_nodes(config: GraphConfig, depth: int) -> Iterator[Node]:
    yield from config.nodes
    if depth:
        for node in config.nodes:
            if body := body_of(node):
                yield from _all_nodes(body, depth - 1)


def _oversize(document: object, domain: GraphDomain) -> GraphBreach | None:
    # Counted before decoding, so that a huge list costs nothing but its own length.
    for name, most in (("nodes", domain.max_nodes), ("edges", domain.max_nodes * 20)):
        listed = document.get(name) if isinstance(document, Mapping) else None
        if isinstance(listed, list | tuple) and len(listed) > most:
            return GraphBreach(name, f"{len(listed)} entries", f"at most {most} entries")
    return None


def _at(document: object, where: str) -> object:
    value: Any = document
    for key in where.replace("]", "").replace("[", ".").split("."):
        try:
            value = value[int(key)] if isinstance(value, list | tuple) else value[key]
        except (KeyError, IndexError, ValueError, TypeError):
            return None
    return value


def _channel_breaches(config: GraphConfig, domain: GraphDomain) -> Iterator[GraphBreach]:
    for name, channel in config.state.items():
        field = f"state.{name}"
        if breach := name_breach(field, name, domain):
            yield breach
        if name == MESSAGE:
            yield GraphBreach(field, name, "another name; every graph has the message channel")
        if channel.reducer not in domain.reducers:
            yield GraphBreach(f"{field}.reducer", channel.reducer, f"one of {', '.join(domain.reducers)}")
        if not fits(channel, initial_value(channel)):
            yield GraphBreach(f"{field}.initial", channel.initial, f"a value for the reducer {channel.reducer}")


def _graph_breaches(
    config: GraphConfig, domain: GraphDomain, place: str, channels: Mapping[str, Channel], depth: int
) -> Iterator[GraphBreach]:
    if depth > domain.max_depth:
        yield GraphBreach(place.rstrip("."), f"depth {depth}", f"at most {domain.max_depth} bodies inside each other")
        return
    yield from structure_breaches(config, domain, place)
    yield from _limit_breaches(config, domain, place)
    for position, edge in enumerate(config.edges):
        field = f"{place}edges[{position}]"
        if edge.condition is not None:
            yield from _expression_breaches(f"{field}.condition", edge.condition, channels)
        if not 0 < edge.weight <= MAX_WEIGHT:
            yield GraphBreach(f"{field}.weight", edge.weight, f"a number above 0 and at most {MAX_WEIGHT:g}")
    for position, node in enumerate(config.nodes):
        field = f"{place}nodes[{position}]"
        yield from _node_breaches(node, config, domain, field)
        yield from _config_breaches(node, channels, domain, f"{field}.config")
        if body := body_of(node):
            if body.limits.timeout is not None:
                limit = body.limits.timeout
                yield GraphBreach(f"{field}.config.body.limits.timeout", limit, "absent; give the node a timeout")
            if body.state:
                yield GraphBreach(f"{field}.config.body.state", sorted(body.state), "empty; declare channels outside")
            yield from _graph_breaches(body, domain, f"{field}.config.body.", channels, depth + 1)


def _limit_breaches(config: GraphConfig, domain: GraphDomain, place: str) -> Iterator[GraphBreach]:
    limits = config.limits
    yield from _range(f"{place}limits.max_steps", limits.max_steps, 1, domain.max_steps)
    yield from _range(f"{place}limits.max_parallel", limits.max_parallel, 1, domain.max_parallel)
    if limits.timeout is not None:
        yield from _seconds(f"{place}limits.timeout", limits.timeout, domain)


def _node_breaches(node: Node, config: GraphConfig, domain: GraphDomain, field: str) -> Iterator[GraphBreach]:
    if node.type not in domain.node_types:
        yield GraphBreach(f"{field}.config.type", node.type, f"one of {', '.join(domain.node_types)}")
    if node.join is Join.ALL and not domain.joins:
        yield GraphBreach(f"{field}.join", node.join, "any; this runner has no joins that wait")
    yield from _range(f"{field}.retries", node.retries, 0, domain.max_retries)
    if node.timeout is not None:
        yield from _seconds(f"{field}.timeout", node.timeout, domain)
        if config.limits.timeout is not None and node.timeout > config.limits.timeout:
            allowed = f"at most the {config.limits.timeout:g} s of the whole run"
            yield GraphBreach(f"{field}.timeout", node.timeout, allowed)


def _config_breaches(
    node: Node, channels: Mapping[str, Channel], domain: GraphDomain, field: str
) -> Iterator[GraphBreach]:
    match node.config:
        case EntryConfig(requires=names):
            yield from _known(f"{field}.requires", names, channels.keys() - {MESSAGE})
        case ModelConfig(reads=reads, writes=writes) | ToolConfig(reads=reads, writes=writes):
            yield from _known(field, (*reads, writes), channels.keys())
        case ReasoningConfig(reads=reads, writes=writes, max_thoughts=thoughts):
            yield from _known(field, (*reads, writes), channels.keys())
            yield from _range(f"{field}.max_thoughts", thoughts, 1, MAX_THOUGHTS)
        case GateConfig(condition=condition):
            yield from _expression_breaches(f"{field}.condition", condition, channels)
        case TransformConfig(assign=assign):
            yield from _known(f"{field}.assign", assign, channels.keys())
            for name, text in assign.items():
                yield from _expression_breaches(f"{field}.assign.{name}", text, channels)
        case LoopConfig():
            yield from _loop_breaches(node.config, channels, domain, field)
        case FanOutConfig(over=over, item=item, max_items=most):
            yield from _known(field, (over, item), channels.keys())
            yield from _range(f"{field}.max_items", most, 1, domain.max_items)
        case TimeoutConfig(seconds=seconds, fallback=fallback):
            yield from _seconds(f"{field}.seconds", seconds, domain)
            yield from _known(f"{field}.fallback", fallback, channels.keys())
        case ExitConfig(reads=name):
            yield from _known(f"{field}.reads", (name,), channels.keys())


def _loop_breaches(
    loop: LoopConfig, channels: Mapping[str, Channel], domain: GraphDomain, field: str
) -> Iterator[GraphBreach]:
    yield from _expression_breaches(f"{field}.until", loop.until, channels)
    yield from _range(f"{field}.max_iterations", loop.max_iterations, 1, domain.max_iterations)
    yield from _range(f"{field}.min_iterations", loop.min_iterations, 1, domain.max_iterations)
    if loop.min_iterations > loop.max_iterations:
        allowed = f"at most max_iterations = {loop.max_iterations}"
        yield GraphBreach(f"{field}.min_iterations", loop.min_iterations, allowed)


def _known(field: str, names: Iterable[str], channels: Set[str]) -> Iterator[GraphBreach]:
    for name in names:
        if name not in channels:
            yield GraphBreach(field, name, f"a declared channel.{nearest(name, channels)}")


def _range(field: str, value: int, low: int, high: int) -> Iterator[GraphBreach]:
    if not low <= value <= high:
        yield GraphBreach(field, value, f"an integer in {low}..{high}")


def _seconds(field: str, value: float, domain: GraphDomain) -> Iterator[GraphBreach]:
    if not domain.deadlines:
        yield GraphBreach(field, value, "absent; this runner has no timeouts")
    elif not (math.isfinite(value) and 0 < value <= domain.max_seconds):
        yield GraphBreach(field, value, f"seconds above 0 and at most {domain.max_seconds:g}")


def _expression_breaches(field: str, text: str, channels: Mapping[str, Channel]) -> Iterator[GraphBreach]:
    try:
        names = parse(text).names
    except ExpressionError as error:
        yield GraphBreach(field, text, str(error))
        return
    for name in sorted(names - channels.keys()):
        yield GraphBreach(field, text, f"declared channels, not {name!r}.{nearest(name, channels)}")
