"""Mutations of graph cases for coverage-guided engines: drop, add, rewire, duplicate, retype, nest, nudge."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from strategies.graphs.cases import draw_case, draw_inputs, draw_knobs, draw_pause, draw_script
from strategies.graphs.malformed import DEFECTS, with_defect
from strategies.graphs.nodes import draw_nesting, draw_of_type, draw_working
from strategies.graphs.shapes import draw_patience
from strategies.graphs.space import GraphSpace
from strategies.graphs.values import draw_condition
from strategies.source import RandomSource, Source
from targets.graph.case import GraphCase
from targets.graph.config import (
    Edge,
    EntryConfig,
    ExitConfig,
    GraphConfig,
    GraphLimits,
    Join,
    Node,
    body_of,
    with_body,
)
from targets.graph.structure import reachable
from targets.graph.validate import breaches

Mutation = Callable[[Source, GraphSpace, GraphCase], GraphCase]

ATTEMPTS = 6
"""Mutations are tried until one gives a valid case; then a fresh case takes its place."""


def mutate_graph_case(case: GraphCase, random: Random, space: GraphSpace) -> GraphCase:
    """An edited case: valid if the case was valid, with one defect if it had one."""
    source = RandomSource(random)
    for _ in range(ATTEMPTS):
        edited = case
        for _ in range(source.choice((1, 1, 2, 4))):
            edited = source.choice(MUTATIONS)(source, space, edited)
        if edited != case and is_valid(edited, space):
            return _with_new_defect(edited, source, space)
    return _with_new_defect(draw_case(source, space), source, space) if case.defect else draw_case(source, space)


def crossover(first: GraphCase, second: GraphCase, random: Random, space: GraphSpace) -> GraphCase:
    """The graph of one case with a node of the other, or one case with the other's inputs, script and knobs."""
    source = RandomSource(random)
    if source.boolean():
        foreign = [node for node in second.config.nodes if node.type not in ("entry", "exit")]
        edges = first.config.edges
        if foreign and edges:
            node = source.choice(foreign)
            joined = _with_config(first, _inserted(first.config, node, source.choice(edges)))
            if is_valid(joined, space):
                return _with_new_defect(joined, source, space)
    mixed = msgspec.structs.replace(first, inputs=second.inputs, knobs=second.knobs, pause=second.pause, defect=None)
    return mixed if is_valid(mixed, space) else draw_case(source, space)


def is_valid(case: GraphCase, space: GraphSpace) -> bool:
    """Whether the config, its defect left out, lies inside the documented domain and runs in reasonable time.

    Work multiplies with each loop around a loop, so edits nest one level deeper than fresh graphs at the most.
    """
    return nesting(case.config) <= space.depth + 1 and next(breaches(case.config, space.domain), None) is None


def nesting(config: GraphConfig) -> int:
    """Graphs inside each other; 0 for a graph without bodies."""
    bodies = [body for node in config.nodes if (body := body_of(node)) is not None]
    return 1 + max(map(nesting, bodies)) if bodies else 0


def _with_new_defect(case: GraphCase, source: Source, space: GraphSpace) -> GraphCase:
    # A defect is a place in the document, which an edit may have moved, so it is drawn anew.
    if case.defect is None or case.defect.name not in DEFECTS:
        return case
    return with_defect(msgspec.structs.replace(case, defect=None), source, space.domain)


def drop_node(source: Source, _: GraphSpace, case: GraphCase) -> GraphCase:
    """Without one node; what it led to hangs on what led to it."""
    config = case.config
    inner = [node for node in config.nodes if node.type not in ("entry", "exit")]
    if not inner:
        return case
    gone = source.choice(inner).id
    return _with_config(case, without_node(config, gone))


def add_node(source: Source, space: GraphSpace, case: GraphCase) -> GraphCase:
    """A new node in the middle of an edge."""
    config = case.config
    options = draw_patience(source, space)
    node = Node(id=_free(config), config=draw_working(source, space, beside=source.boolean()), **options)
    if not config.edges:
        return case
    return _with_config(case, _inserted(config, node, source.choice(config.edges)))


def duplicate_node(source: Source, _: GraphSpace, case: GraphCase) -> GraphCase:
    """A copy of a node beside it, with the same edges."""
    config = case.config
    inner = [node for node in config.nodes if node.type not in ("entry", "exit")]
    if not inner:
        return case
    node = source.choice(inner)
    name = _free(config)
    copies = [
        msgspec.structs.replace(
            edge,
            source=name if edge.source == node.id else edge.source,
            target=name if edge.target == node.id else edge.target,
        )
        for edge in config.edges
        if node.id in (edge.source, edge.target)
    ]
    nodes = (*config.nodes, msgspec.structs.replace(node, id=name))
    return _with_config(case, _replaced(config, nodes=nodes, edges=(*config.edges, *copies)))


def rewire(source: Source, _: GraphSpace, case: GraphCase) -> GraphCase:
    """One edge leads elsewhere."""
    config = case.config
    targets = [node.id for node in config.nodes if node.type != "entry"]
    if not config.edges or not targets:
        return case
    place = source.integer(0, len(config.edges) - 1)
    edge = msgspec.structs.replace(config.edges[place], target=source.choice(targets))
    return _with_config(case, _replaced(config, edges=_at(config.edges, place, edge), cycles=True))


def add_edge(source: Source, _: GraphSpace, case: GraphCase) -> GraphCase:
    """One edge more, with or without a condition."""
    config = case.config
    starts = [node.id for node in config.nodes if node.type != "exit"]
    targets = [node.id for node in config.nodes if node.type != "entry"]
    if not starts or not targets:
        return case
    condition = draw_condition(source) if source.boolean() else None
    edge = Edge(source=source.choice(starts), target=source.choice(targets), condition=condition)
    return _with_config(case, _replaced(config, edges=(*config.edges, edge), cycles=config.cycles or source.boolean()))


def edit_edge(source: Source, _: GraphSpace, case: GraphCase) -> GraphCase:
    """Another condition or weight on an edge, or the edge gone."""
    config = case.config
    if not config.edges:
        return case
    place = source.integer(0, len(config.edges) - 1)
    edge = config.edges[place]
    match source.integer(0, 3):
        case 0:
            changed = msgspec.structs.replace(edge, condition=draw_condition(source))
        case 1:
            changed = msgspec.structs.replace(edge, condition=None)
        case 2:
            changed = msgspec.structs.replace(edge, weight=source.choice((0.5, 1.0, 2.0, 1e6)))
        case _:
            return _with_config(case, _replaced(config, edges=config.edges[:place] + config.edges[place + 1 :]))
    return _with_config(case, _replaced(config, edges=_at(config.edges, place, changed)))


def retype(source: Source, space: GraphSpace, case: GraphCase) -> GraphCase:
    """A node does something else."""
    types = [name for name in ("transform", "tool", "model", "gate", "reasoning") if space.offers(name)]

    def changed(node: Node) -> Node:
        config = draw_of_type(source, space, source.choice(types), beside=source.boolean())
        return msgspec.structs.replace(node, config=config)

    return _on_inner_node(source, case, changed)


def edit_node(source: Source, space: GraphSpace, case: GraphCase) -> GraphCase:
    """Other retries, timeout or join of a node."""

    def changed(node: Node) -> Node:
        fields: dict[str, Any] = {"retries": 0, "timeout": None, **draw_patience(source, space)}
        if source.boolean(0.3):
            fields["join"] = Join.ANY if node.join is Join.ALL else Join.ALL
        return msgspec.structs.replace(node, **fields)

    return _on_inner_node(source, case, changed)


def nest(source: Source, space: GraphSpace, case: GraphCase) -> GraphCase:
    """A node moves into a body of its own."""

    def changed(node: Node) -> Node:
        body = GraphConfig(
            nodes=(Node(id="in", config=EntryConfig()), node, Node(id="out", config=ExitConfig())),
            edges=(Edge(source="in", target=node.id), Edge(source=node.id, target="out")),
            entry=("in",),
            exits=("out",),
        )
        config = draw_nesting(source, space, body, beside=True)
        return node if config is None else Node(id=node.id, config=config, join=node.join)

    return _on_inner_node(source, case, changed)


def edit_body(source: Source, space: GraphSpace, case: GraphCase) -> GraphCase:
    """A mutation inside a body."""

    def changed(node: Node) -> Node:
        body = body_of(node)
        if body is None:
            return node
        inside = source.choice((drop_node, add_node, rewire, add_edge, edit_edge, retype, edit_node))
        return with_body(node, inside(source, space, GraphCase(config=body)).config)

    return _on_inner_node(source, case, changed)


def edit_limits(source: Source, space: GraphSpace, case: GraphCase) -> GraphCase:
    """Other limits of the run."""
    timeout = source.integer(1, 100) / 100 + 0.005 if space.domain.deadlines and source.boolean(0.3) else None
    steps = source.choice((25, 3, 4, 60, len(case.config.nodes)))
    limits = GraphLimits(max_steps=steps, max_parallel=source.choice((64, 1, 2)), timeout=timeout)
    return _with_config(case, _replaced(case.config, limits=limits))


def edit_inputs(source: Source, _: GraphSpace, case: GraphCase) -> GraphCase:
    """Another message, other variables and context."""
    return msgspec.structs.replace(case, inputs=draw_inputs(source))


def edit_script(source: Source, space: GraphSpace, case: GraphCase) -> GraphCase:
    """Other replies of models and tools."""
    return msgspec.structs.replace(case, script=draw_script(source, space, case.config))


def edit_run(source: Source, space: GraphSpace, case: GraphCase) -> GraphCase:
    """Other knobs and another pause."""
    return msgspec.structs.replace(case, knobs=draw_knobs(source, space), pause=draw_pause(source))


MUTATIONS: tuple[Mutation, ...] = (
    drop_node,
    add_node,
    duplicate_node,
    rewire,
    add_edge,
    edit_edge,
    retype,
    edit_node,
    nest,
    edit_body,
    edit_limits,
    edit_inputs,
    edit_script,
    edit_run,
)


def without_node(config: GraphConfig, gone: str) -> GraphConfig:
    """The config without a node; what it led to hangs on what led to it, and nothing unreachable stays."""
    before = [edge for edge in config.edges if edge.target == gone]
    after = [edge for edge in config.edges if edge.source == gone]
    kept = [edge for edge in config.edges if gone not in (edge.source, edge.target)]
    taken = {(edge.source, edge.target) for edge in kept}
    for first in before:
        for second in after:
            pair = (first.source, second.target)
            if pair not in taken and pair[0] != pair[1] and gone not in pair:
                kept.append(msgspec.structs.replace(first, target=second.target))
                taken.add(pair)
    following: dict[str, list[str]] = {node.id: [] for node in config.nodes}
    for edge in kept:
        following[edge.source].append(edge.target)
    reached = reachable(config.entry, following) - {gone}
    return _replaced(
        config,
        nodes=tuple(node for node in config.nodes if node.id in reached),
        edges=tuple(edge for edge in kept if edge.source in reached),
        exits=tuple(name for name in config.exits if name in reached),
    )


def _inserted(config: GraphConfig, node: Node, edge: Edge) -> GraphConfig:
    name = node.id if node.id not in {other.id for other in config.nodes} else _free(config)
    new = msgspec.structs.replace(node, id=name, join=Join.ANY)
    edges = tuple(msgspec.structs.replace(other, target=name) if other is edge else other for other in config.edges)
    return _replaced(config, nodes=(*config.nodes, new), edges=(*edges, Edge(source=name, target=edge.target)))


def _on_inner_node(source: Source, case: GraphCase, change: Callable[[Node], Node]) -> GraphCase:
    places = [place for place, node in enumerate(case.config.nodes) if node.type not in ("entry", "exit")]
    if not places:
        return case
    place = source.choice(places)
    node = change(case.config.nodes[place])
    return _with_config(case, _replaced(case.config, nodes=_at(case.config.nodes, place, node)))


def _at(items: tuple[Any, ...], place: int, item: Any) -> tuple[Any, ...]:
    return (*items[:place], item, *items[place + 1 :])


def _replaced(config: GraphConfig, **fields: Any) -> GraphConfig:
    return msgspec.structs.replace(config, **fields)


def _with_config(case: GraphCase, config: GraphConfig) -> GraphCase:
    return msgspec.structs.replace(case, config=config)


def _free(config: GraphConfig) -> str:
    taken = {node.id for node in config.nodes}
    return next(name for number in range(len(taken) + 1) if (name := f"m{number}") not in taken)
