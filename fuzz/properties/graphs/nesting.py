"""A graph inside a node behaves as the same graph laid open, and names carry no meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.graphs.compare import all_nodes, difference, order_sensitive, timed, visits
from fuzz.properties.graphs.registration import graph_property
from fuzz.properties.model import Violation
from targets.graph.case import GraphCase
from targets.graph.config import (
    Edge,
    EntryConfig,
    ExitConfig,
    GraphConfig,
    GraphLimits,
    Join,
    Node,
    SubgraphConfig,
    body_of,
    with_body,
)
from targets.graph.domain import GraphDomain
from targets.graph.result import GraphResult, RunStatus
from targets.graph.script import NodeReplies, Script

NAMES = ("1", "0|1", "a:b", "a/b", "2", "a.b", "end", "__x__", "ünï", "node 1", "10", "None", "loop[0]", "-1", "01")
"""Names with numbers, separators and reserved-looking words, in an order that is not alphabetical."""
_WRAPPED_TYPES = ("model", "tool", "transform", "reasoning")


@graph_property("G2", "Nested equals inlined", sources=("GRAPH-01", "GRAPH-07"))
def nested_equals_inlined(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
    """The whole graph inside one node, one node inside a body of its own, and other names give the same state.

    Names with numbers, separators and reserved-looking words must not change routing. A case is left out where the
    runner applies the writes of a step in the order of names and that order shows. A graph with a timeout is only
    renamed: a body more is a turn of the scheduler more, which may decide who is in time.
    """
    if order_sensitive(case.config) and not lab.domain.ordered_writes:
        return
    base = lab.base(case)
    yield from _same(lab, base, lab.run(renamed(case, lab.domain)), "with other node names")
    if "subgraph" not in lab.domain.node_types or depth(case.config) >= lab.domain.max_depth:
        return
    if timed(case.config):
        return
    yield from _same(lab, base, lab.run(wrapped(case)), "with the whole graph inside a node", message=False)
    for node in case.config.nodes:
        if node.type in _WRAPPED_TYPES and visits(base, (node.id,)) == 1 and base.status is RunStatus.COMPLETED:
            where = f"with {node.id!r} inside a body"
            yield from _same(lab, base, lab.run(with_wrapped_node(case, node)), where)
            return


def wrapped(case: GraphCase) -> GraphCase:
    """The case with its whole graph inside one subgraph node; the limits move along."""
    config = case.config
    inner = msgspec.structs.replace(
        config, state={}, limits=msgspec.structs.replace(config.limits, timeout=None), name=""
    )
    required = tuple(name for node in config.nodes for name in getattr(node.config, "requires", ()))
    outer = GraphConfig(
        nodes=(
            Node(id="begin", config=EntryConfig(requires=required)),
            Node(id="whole", config=SubgraphConfig(body=inner)),
            Node(id="finish", config=ExitConfig()),
        ),
        edges=(Edge(source="begin", target="whole"), Edge(source="whole", target="finish")),
        entry=("begin",),
        exits=("finish",),
        state=config.state,
        limits=GraphLimits(timeout=config.limits.timeout),
    )
    return msgspec.structs.replace(case, config=outer, script=_below(case.script, (), ("whole",)))


def with_wrapped_node(case: GraphCase, node: Node) -> GraphCase:
    """The case with one node replaced by a subgraph that holds just this node."""
    if node.id in ("begin", "finish"):
        return case
    inner = GraphConfig(
        nodes=(
            Node(id="begin", config=EntryConfig()),
            msgspec.structs.replace(node, join=Join.ANY),
            Node(id="finish", config=ExitConfig()),
        ),
        edges=(Edge(source="begin", target=node.id), Edge(source=node.id, target="finish")),
        entry=("begin",),
        exits=("finish",),
    )
    outer = Node(id=node.id, config=SubgraphConfig(body=inner), join=node.join)
    nodes = tuple(outer if other.id == node.id else other for other in case.config.nodes)
    config = msgspec.structs.replace(case.config, nodes=nodes)
    return msgspec.structs.replace(case, config=config, script=_below(case.script, (node.id,), (node.id,)))


def renamed(case: GraphCase, domain: GraphDomain) -> GraphCase:
    """The case with every node renamed, in every body by the same table."""
    allowed = [
        name
        for name in NAMES
        if name not in domain.forbidden_names and not set(name) & set(domain.forbidden_characters)
    ]
    names = dict.fromkeys(node.id for node in all_nodes(case.config))
    table = {name: allowed[place] if place < len(allowed) else f"{place}" for place, name in enumerate(names)}
    if len(set(table.values())) != len(table):
        table = {name: f"{place}" for place, name in enumerate(names)}
    script = Script(
        nodes=tuple(
            NodeReplies(node=tuple(table[part] for part in entry.node), replies=entry.replies)
            for entry in case.script.nodes
            if table.keys() >= set(entry.node)
        ),
        cancel_at=case.script.cancel_at,
    )
    return msgspec.structs.replace(case, config=_renamed(case.config, table), script=script)


def depth(config: GraphConfig) -> int:
    """How many bodies stand inside each other."""
    return max((1 + depth(body) for node in config.nodes if (body := body_of(node))), default=0)


def _renamed(config: GraphConfig, table: Mapping[str, str]) -> GraphConfig:
    nodes = []
    for node in config.nodes:
        body = body_of(node)
        inside = with_body(node, _renamed(body, table)) if body else node
        nodes.append(msgspec.structs.replace(inside, id=table[node.id]))
    edges = tuple(
        msgspec.structs.replace(edge, source=table[edge.source], target=table[edge.target]) for edge in config.edges
    )
    entry = tuple(table[name] for name in config.entry)
    exits = tuple(table[name] for name in config.exits)
    return msgspec.structs.replace(config, nodes=tuple(nodes), edges=edges, entry=entry, exits=exits)


def _below(script: Script, old: tuple[str, ...], new: tuple[str, ...]) -> Script:
    """The script with the paths that begin with `old` one level deeper, below `new`."""
    entries = tuple(
        msgspec.structs.replace(entry, node=(*new, *entry.node)) if entry.node[: len(old)] == old else entry
        for entry in script.nodes
    )
    return Script(nodes=entries, cancel_at=script.cancel_at)


def _same(
    lab: GraphLab, base: GraphResult, other: GraphResult, when: str, *, message: bool = True
) -> Iterator[Violation]:
    lab.tally.compared += 1
    if not message:
        other = msgspec.structs.replace(other, message=base.message)
    slug, sentence = difference(base, other)
    if slug:
        yield Violation(code="G2", slug=slug, message=f"{when}: {sentence}")
