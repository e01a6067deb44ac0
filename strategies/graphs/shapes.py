"""The shapes of graphs: chains, branches, parallel parts with joins, cycles, nested graphs, random directed graphs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from strategies.graphs.nodes import draw_nesting, draw_working
from strategies.graphs.space import CHANNELS, GraphSpace
from strategies.graphs.values import HOSTILE_NAMES, commutes, draw_condition
from strategies.source import Source
from targets.graph.config import (
    Channel,
    Edge,
    EntryConfig,
    ExitConfig,
    FanOutConfig,
    GraphConfig,
    GraphLimits,
    Join,
    LoopConfig,
    Node,
    NodeConfig,
    RouterConfig,
    ToolConfig,
    TransformConfig,
)

End = tuple[str, str | None]
"""A node that the next block hangs on, and the condition of the edge to it."""


@dataclass
class Drawing:
    """A graph that is being drawn."""

    source: Source
    space: GraphSpace
    hostile: int | None = None
    """Where in the list of names that a runner may take apart its own begin; None for harmless names."""
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    cycles: bool = False

    def name(self) -> str:
        """A node id that is not taken."""
        number = len(self.nodes)
        if self.hostile is not None:
            forbidden = self.space.domain.forbidden_characters
            found = HOSTILE_NAMES[(self.hostile + number) % len(HOSTILE_NAMES)]
            taken = {node.id for node in self.nodes}
            if (
                found not in taken
                and not set(found) & set(forbidden)
                and found not in self.space.domain.forbidden_names
            ):
                return found
        return f"n{number}"

    def add(self, config: NodeConfig, after: tuple[End, ...], **options: Any) -> str:
        """A new node behind others; its name."""
        node = Node(id=self.name(), config=config, **options)
        self.nodes.append(node)
        self.edges += [Edge(source=name, target=node.id, condition=condition) for name, condition in after]
        return node.id


def draw_graph(source: Source, space: GraphSpace) -> GraphConfig:
    """A valid config of any shape, with its channels and limits."""
    if source.boolean(space.large_share):
        config = random_graph(source, space, source.integer(20, space.large))
    elif source.boolean(0.15):
        config = random_graph(source, space, source.integer(2, 8))
    else:
        config = structured_graph(source, space, space.depth)
    return finished(config, source)


def finished(config: GraphConfig, source: Source) -> GraphConfig:
    """The config with all shared channels and limits that let most runs end."""
    steps = source.choice((25, 2 * len(config.nodes) + 10, 60))
    parallel = source.choice((64, 1, 2))
    return GraphConfig(
        nodes=config.nodes,
        edges=config.edges,
        entry=config.entry,
        exits=config.exits,
        cycles=config.cycles,
        state=dict[str, Channel](CHANNELS),
        limits=GraphLimits(max_steps=steps, max_parallel=parallel),
    )


def structured_graph(source: Source, space: GraphSpace, depth: int, *, beside: bool = False) -> GraphConfig:
    """Building blocks in a row between entry and exit nodes."""
    hostile = source.integer(0, len(HOSTILE_NAMES) - 1) if source.boolean(0.25) else None
    drawing = Drawing(source, space, hostile=hostile)
    several = source.integer(2, 4) if source.boolean(0.2) else 1
    entries = tuple(drawing.add(EntryConfig(), ()) for _ in range(several))
    ends: tuple[End, ...] = tuple((name, None) for name in entries)
    if len(entries) > 1:
        ends = _plain(
            draw_node(
                drawing,
                ends,
                beside=beside,
                join=source.choice((Join.ANY, Join.ALL)) if space.domain.joins else Join.ANY,
            )
        )
    for _ in range(source.integer(1, space.blocks if depth == space.depth else 2)):
        ends = draw_block(drawing, ends, depth, beside=beside)
    exits = [drawing.add(ExitConfig(reads=source.choice(("answer", "message", "count", "log"))), ends)]
    if source.boolean(0.1):
        exits.append(drawing.add(ExitConfig(reads="note"), ends[:1]))
    return _config(drawing, entries, tuple(exits))


def draw_block(drawing: Drawing, ends: tuple[End, ...], depth: int, *, beside: bool) -> tuple[End, ...]:
    """One building block behind the ends; its own ends."""
    kind = drawing.source.integer(0, 9) if depth > 0 else 0
    if kind <= 3:
        return _plain(draw_node(drawing, ends, beside=beside))
    if kind <= 5:
        return parallel_block(drawing, ends, depth)
    if kind == 6:
        return choice_block(drawing, ends, depth, beside=beside)
    if kind == 7:
        return cycle_block(drawing, ends, depth, beside=beside)
    return nested_block(drawing, ends, depth, beside=beside)


def draw_node(drawing: Drawing, ends: tuple[End, ...], *, beside: bool, join: Join = Join.ANY) -> str:
    """A working node behind the ends."""
    source, space = drawing.source, drawing.space
    options = draw_patience(source, space)
    return drawing.add(draw_working(source, space, beside=beside), ends, join=join, **options)


def draw_patience(source: Source, space: GraphSpace, hurried: float = 0.1) -> dict[str, Any]:
    """Retries and timeout of a node; a timeout never falls together with the end of a scripted latency."""
    options: dict[str, object] = {}
    if source.boolean(0.25) and space.domain.max_retries:
        options["retries"] = source.integer(1, min(3, space.domain.max_retries))
    if space.domain.deadlines and source.boolean(hurried):
        options["timeout"] = source.integer(0, 60) / 100 + 0.005
    return options


def parallel_block(drawing: Drawing, ends: tuple[End, ...], depth: int) -> tuple[End, ...]:
    """Two to four branches side by side and the node that joins them."""
    source = drawing.source
    split = draw_node(drawing, ends, beside=True)
    tails: list[End] = []
    for _ in range(source.integer(2, 4)):
        tail: tuple[End, ...] = _plain(draw_node(drawing, _plain(split), beside=True))
        if source.boolean(0.3):
            tail = draw_block(drawing, tail, depth - 1, beside=True)
        tails += tail
    waits = drawing.space.domain.joins and source.boolean(0.6) and not any(_holds_back(drawing, end) for end in tails)
    return _plain(draw_node(drawing, tuple(tails), beside=True, join=Join.ALL if waits else Join.ANY))


def choice_block(drawing: Drawing, ends: tuple[End, ...], depth: int, *, beside: bool) -> tuple[End, ...]:
    """A router or conditional edges, and a node where the branches meet."""
    source = drawing.source
    router = source.boolean(0.6) and drawing.space.offers("router")
    head = drawing.add(RouterConfig(), ends) if router else draw_node(drawing, ends, beside=beside)
    tails: list[End] = []
    for number in range(source.integer(2, 3)):
        condition = None if number == 0 else draw_condition(source)
        tail: tuple[End, ...] = _plain(draw_node(drawing, ((head, condition),), beside=beside or not router))
        if number:
            _weigh(drawing, source.choice((1.0, 2.0, 0.5)))
        if source.boolean(0.3):
            tail = draw_block(drawing, tail, depth - 1, beside=beside or not router)
        tails += tail
    return _plain(draw_node(drawing, tuple(tails), beside=beside or not router))


def cycle_block(drawing: Drawing, ends: tuple[End, ...], depth: int, *, beside: bool) -> tuple[End, ...]:
    """A part that is repeated while a condition holds; a counter makes most of them end."""
    source = drawing.source
    head = drawing.add(TransformConfig(assign={"count": "1"}), ends)
    tail = draw_block(drawing, _plain(head), depth - 1, beside=beside)
    again = f"count < {source.integer(1, 6)}"
    router = (
        drawing.add(RouterConfig(), tail) if drawing.space.offers("router") else draw_node(drawing, tail, beside=beside)
    )
    drawing.edges.append(Edge(source=router, target=head, condition=again, weight=2.0))
    drawing.cycles = True
    return ((router, None if drawing.space.offers("router") else f"not ({again})"),)


def nested_block(drawing: Drawing, ends: tuple[End, ...], depth: int, *, beside: bool) -> tuple[End, ...]:
    """A node with a graph inside."""
    source, space = drawing.source, drawing.space
    if space.domain.deadlines and space.offers("loop") and source.boolean(0.2):
        return _plain(tight_loop(drawing, ends))
    body = structured_graph(source, space, depth - 1, beside=True)
    config = draw_nesting(source, space, body, beside=beside)
    if config is None:
        return _plain(draw_node(drawing, ends, beside=beside))
    if isinstance(config, FanOutConfig) and not any(commutes(name) for name in ("count", "tags")):
        return _plain(draw_node(drawing, ends, beside=beside))
    return _plain(drawing.add(config, ends, **draw_patience(source, space, hurried=0.3)))


def tight_loop(drawing: Drawing, ends: tuple[End, ...]) -> str:
    """A loop around one tool with a timeout that many rounds exceed, although none of them may ever wait."""
    inner = Drawing(drawing.source, drawing.space)
    entry = inner.add(EntryConfig(), ())
    tool = inner.add(ToolConfig(tool="count", writes="count"), _plain(entry))
    exit_ = inner.add(ExitConfig(), _plain(tool))
    rounds = drawing.source.choice((12, 30))
    config = LoopConfig(body=_config(inner, (entry,), (exit_,)), min_iterations=rounds, max_iterations=rounds)
    return drawing.add(config, ends, timeout=drawing.source.integer(0, 60) / 100 + 0.005)


def random_graph(source: Source, space: GraphSpace, size: int) -> GraphConfig:
    """So many working nodes with edges at random, forward ones and now and then one back."""
    drawing = Drawing(source, space)
    entry = drawing.add(EntryConfig(), ())
    names = [entry]
    for _ in range(size):
        near = names[-min(len(names), 6) :]
        parents = {source.choice(near) for _ in range(source.integer(1, 2))}
        after: tuple[End, ...] = tuple(
            (name, draw_condition(source) if source.boolean(0.15) else None) for name in sorted(parents)
        )
        names.append(drawing.add(draw_working(source, space, beside=True), after))
    ends = {edge.source for edge in drawing.edges}
    last = tuple((name, None) for name in names if name not in ends)
    exit_ = drawing.add(ExitConfig(reads="log"), last)
    if source.boolean(0.2) and size > 2:
        early, late = sorted((source.integer(1, size - 1), source.integer(2, size)))
        if early != late and not any(e.source == names[late] and e.target == names[early] for e in drawing.edges):
            drawing.edges.append(
                Edge(source=names[late], target=names[early], condition=f"count < {source.integer(0, 3)}")
            )
            drawing.cycles = True
    return _config(drawing, (entry,), (exit_,))


def _config(drawing: Drawing, entry: tuple[str, ...], exits: tuple[str, ...]) -> GraphConfig:
    return GraphConfig(
        nodes=tuple(drawing.nodes), edges=tuple(drawing.edges), entry=entry, exits=exits, cycles=drawing.cycles
    )


def _plain(name: str) -> tuple[End, ...]:
    return ((name, None),)


def _holds_back(drawing: Drawing, end: End) -> bool:
    types = {node.id: node.type for node in drawing.nodes}
    return end[1] is not None or types[end[0]] in ("router", "gate")


def _weigh(drawing: Drawing, weight: float) -> None:
    edge = drawing.edges[-1]
    drawing.edges[-1] = Edge(source=edge.source, target=edge.target, condition=edge.condition, weight=weight)
