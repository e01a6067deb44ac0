"""The shape of a graph: names, edges, reachability, cycles, joins. Each finding is a `GraphBreach`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from targets.errors import nearest
from targets.graph.config import GraphConfig, Join
from targets.graph.domain import GraphDomain

MAX_NAME = 100
_HOLDS_BACK = ("router", "gate")
"""Node types that may run without taking an edge, so that waiting for it could last forever."""


@dataclass(frozen=True)
class GraphBreach:
    """One way in which a config leaves the documented domain."""

    field: str
    value: object
    allowed: str


def structure_breaches(config: GraphConfig, domain: GraphDomain, place: str) -> Iterator[GraphBreach]:
    """Every breach in the shape of one graph, its bodies left out."""
    found = list(_name_breaches(config, domain, place))
    found += _edge_breaches(config, place)
    found += _end_breaches(config, place, "entry", config.entry)
    found += _end_breaches(config, place, "exit", config.exits)
    if not found:
        found += _join_breaches(config, place)
        found += _reach_breaches(config, place)
        found += _cycle_breaches(config, place)
    yield from found


def name_breach(field: str, name: str, domain: GraphDomain) -> GraphBreach | None:
    """The breach of a name that is empty, too long, or holds a character or is a word that is not allowed."""
    if not name or len(name) > MAX_NAME:
        return GraphBreach(field, name, f"a name of 1 to {MAX_NAME} characters")
    if not name.isprintable() and any(unicodedata.category(character).startswith("C") for character in name):
        return GraphBreach(field, name, "a name without control characters")
    if domain.forbidden_characters and (bad := set(name) & set(domain.forbidden_characters)):
        return GraphBreach(field, name, f"a name without {' '.join(sorted(bad))}")
    if name in domain.forbidden_names:
        return GraphBreach(field, name, "a name that is not reserved")
    return None


def _name_breaches(config: GraphConfig, domain: GraphDomain, place: str) -> Iterator[GraphBreach]:
    if not config.nodes:
        yield GraphBreach(f"{place}nodes", (), "at least one node")
    seen: set[str] = set()
    for position, node in enumerate(config.nodes):
        field = f"{place}nodes[{position}].id"
        if breach := name_breach(field, node.id, domain):
            yield breach
        if node.id in seen:
            yield GraphBreach(field, node.id, "an id that no other node of the graph has")
        seen.add(node.id)


def _edge_breaches(config: GraphConfig, place: str) -> Iterator[GraphBreach]:
    known = {node.id for node in config.nodes}
    seen: set[tuple[str, str]] = set()
    for position, edge in enumerate(config.edges):
        field = f"{place}edges[{position}]"
        for end, name in (("source", edge.source), ("target", edge.target)):
            if name not in known:
                yield GraphBreach(f"{field}.{end}", name, f"the id of a node.{nearest(name, known)}")
        if edge.source == edge.target:
            yield GraphBreach(f"{field}.target", edge.target, "another node than the source")
        if (edge.source, edge.target) in seen:
            yield GraphBreach(field, f"{edge.source} -> {edge.target}", "at most one edge between two nodes")
        seen.add((edge.source, edge.target))


def _end_breaches(config: GraphConfig, place: str, kind: str, names: Sequence[str]) -> Iterator[GraphBreach]:
    """Entry points are exactly the entry nodes, exit points exactly the exit nodes."""
    list_name = f"{place}{'entry' if kind == 'entry' else 'exits'}"
    if not names:
        yield GraphBreach(list_name, (), f"at least one {kind} node")
    types = {node.id: node.type for node in config.nodes}
    for position, name in enumerate(names):
        field = f"{list_name}[{position}]"
        if name not in types:
            yield GraphBreach(field, name, f"the id of a node.{nearest(name, types)}")
        elif types[name] != kind:
            yield GraphBreach(field, name, f"a node of type {kind}, not {types[name]}")
        if name in names[:position]:
            yield GraphBreach(field, name, "each name once")
    for position, node in enumerate(config.nodes):
        if node.type == kind and node.id not in names:
            yield GraphBreach(f"{place}nodes[{position}].id", node.id, f"listed in {list_name}, as every {kind} node")
    wrong = {edge.target if kind == "entry" else edge.source for edge in config.edges}
    for name in names:
        if name in wrong:
            side = "incoming" if kind == "entry" else "outgoing"
            yield GraphBreach(list_name, name, f"no {side} edges at an {kind} node")


def _join_breaches(config: GraphConfig, place: str) -> Iterator[GraphBreach]:
    types = {node.id: node.type for node in config.nodes}
    for position, node in enumerate(config.nodes):
        if node.join is not Join.ALL:
            continue
        incoming = [edge for edge in config.edges if edge.target == node.id]
        field = f"{place}nodes[{position}].join"
        if len(incoming) < 2:
            yield GraphBreach(field, "all", "at least two incoming edges")
        for edge in incoming:
            if edge.condition is not None or types[edge.source] in _HOLDS_BACK:
                yield GraphBreach(field, "all", f"no edge that may stay untaken, as the one from {edge.source!r}")


def _reach_breaches(config: GraphConfig, place: str) -> Iterator[GraphBreach]:
    reached = reachable(config.entry, successors(config))
    for position, node in enumerate(config.nodes):
        if node.id not in reached:
            yield GraphBreach(f"{place}nodes[{position}].id", node.id, "a node that some entry node leads to")


def _cycle_breaches(config: GraphConfig, place: str) -> Iterator[GraphBreach]:
    if not config.cycles and (name := cyclic_node(config)) is not None:
        yield GraphBreach(f"{place}cycles", False, f"true for a graph with a cycle, as the one through {name!r}")


def successors(config: GraphConfig) -> dict[str, list[str]]:
    """For each node the targets of its edges, in their order."""
    following: dict[str, list[str]] = {node.id: [] for node in config.nodes}
    for edge in config.edges:
        following[edge.source].append(edge.target)
    return following


def reachable(starts: Iterable[str], following: dict[str, list[str]]) -> set[str]:
    """Every node that some path from the starts leads to, the starts included."""
    reached = set(starts)
    waiting = list(reached)
    while waiting:
        for name in following[waiting.pop()]:
            if name not in reached:
                reached.add(name)
                waiting.append(name)
    return reached


def cyclic_node(config: GraphConfig) -> str | None:
    """A node on a cycle or behind one, or None for an acyclic graph (Kahn's algorithm)."""
    following = successors(config)
    incoming = dict.fromkeys(following, 0)
    for targets in following.values():
        for name in targets:
            incoming[name] += 1
    free = [name for name, count in incoming.items() if count == 0]
    left = len(incoming)
    while free:
        left -= 1
        for name in following[free.pop()]:
            incoming[name] -= 1
            if incoming[name] == 0:
                free.append(name)
    return next((name for name, count in incoming.items() if count > 0), None) if left else None
