"""A validated graph config, prepared for running: conditions parsed, edges by source, joins by target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from targets.graph.config import Channel, Edge, GraphConfig, Join, Node, RouterConfig, Value, body_of
from targets.graph.expression import Expression, parse


@dataclass(frozen=True)
class Way:
    """An edge with its condition parsed."""

    target: str
    weight: float
    condition: Expression | None

    def open(self, state: Mapping[str, Value]) -> bool:
        """Whether the edge can be taken in this state. Raises `ExpressionError`."""
        return self.condition is None or self.condition.holds(state)


@dataclass(frozen=True)
class Plan:
    """One graph, ready to run."""

    nodes: dict[str, Node]
    """In declared order."""
    order: dict[str, int]
    """Position of each node."""
    ways: dict[str, tuple[Way, ...]]
    joins: dict[str, frozenset[str]]
    """For nodes that wait for all their edges: the sources of these."""
    bodies: dict[str, Plan]
    """Plans of the graphs inside nodes."""
    entry: tuple[str, ...]
    channels: Mapping[str, Channel]
    max_steps: int
    max_parallel: int


def make_plan(config: GraphConfig, channels: Mapping[str, Channel]) -> Plan:
    """The plan of a valid config; bodies share the channels."""
    ways: dict[str, list[Way]] = {node.id: [] for node in config.nodes}
    for edge in config.edges:
        ways[edge.source].append(_way(edge))
    bodies = {node.id: make_plan(body, channels) for node in config.nodes if (body := body_of(node))}
    return Plan(
        nodes={node.id: node for node in config.nodes},
        order={node.id: position for position, node in enumerate(config.nodes)},
        ways={name: tuple(found) for name, found in ways.items()},
        joins={node.id: _sources(config, node.id) for node in config.nodes if node.join is Join.ALL},
        bodies=bodies,
        entry=config.entry,
        channels=channels,
        max_steps=config.limits.max_steps,
        max_parallel=config.limits.max_parallel,
    )


def choose(node: Node, ways: tuple[Way, ...], state: Mapping[str, Value]) -> tuple[str, ...]:
    """The targets of the edges that a node takes in this state. Raises `ExpressionError`."""
    candidates = [way for way in ways if way.open(state)]
    if isinstance(node.config, RouterConfig) and candidates:
        return (max(candidates, key=lambda way: way.weight).target,)
    return tuple(way.target for way in candidates)


def _way(edge: Edge) -> Way:
    return Way(edge.target, edge.weight, parse(edge.condition) if edge.condition is not None else None)


def _sources(config: GraphConfig, name: str) -> frozenset[str]:
    return frozenset(edge.source for edge in config.edges if edge.target == name)
