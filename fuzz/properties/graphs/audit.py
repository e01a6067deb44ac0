"""A second opinion on a recorded run: from what each node wrote, which node must have run next, and on what state.

It shares the expression language and the reducers with the runners, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fuzz.properties.graphs.compare import same_value
from targets.graph.config import (
    Channel,
    Edge,
    FanOutConfig,
    GateConfig,
    GraphConfig,
    Join,
    LoopConfig,
    ModelConfig,
    Node,
    RouterConfig,
    TimeoutConfig,
    ToolConfig,
    TransformConfig,
    Value,
    body_of,
)
from targets.graph.expression import ExpressionError, parse
from targets.graph.result import NodeRun, Outcome
from targets.graph.state import ConflictError, Write, WriteError, apply, check_conflicts

State = Mapping[str, Value]


@dataclass(frozen=True)
class Doubt:
    """Something in a recorded run that the config does not explain."""

    slug: str
    message: str


@dataclass
class Audit:
    """The recomputed run of one graph."""

    channels: Mapping[str, Channel]
    state: dict[str, Value]
    writes: list[Write] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    ended: bool = True
    """Whether nothing was left to run at the end of the record."""
    failed: bool = False
    """Whether a node failed; the state is then that of the last whole step."""

    def doubt(self, slug: str, message: str) -> None:
        """Note that something does not add up."""
        self.doubts.append(Doubt(slug, message))


def audit(config: GraphConfig, channels: Mapping[str, Channel], state: State, runs: Sequence[NodeRun]) -> Audit:
    """Follow the record of one graph (with what ran inside its nodes) step by step."""
    book = Audit(channels, dict(state))
    depth = min((len(run.node) for run in runs), default=1)
    order = {node.id: position for position, node in enumerate(config.nodes)}
    ready: list[str] = sorted(config.entry, key=order.__getitem__)
    arrived: dict[str, set[str]] = {}
    for step, visits in _steps(runs, depth):
        names = [run.node[-1] for run, _ in visits]
        if names != ready:
            book.doubt("wrong-nodes", f"step {step} ran {names}, the edges taken lead to {ready}")
            return book
        for run, inner in visits:
            _check_visit(book, config, run, inner)
        if any(run.outcome is Outcome.FAILED for run, _ in visits):
            book.failed = True
            return book
        if not _settle(book, [run for run, _ in visits]):
            return book
        ready = sorted(_next(config, visits, arrived), key=order.__getitem__)
    book.ended = not ready
    return book


def _steps(runs: Iterable[NodeRun], depth: int) -> Iterator[tuple[int, list[tuple[NodeRun, list[NodeRun]]]]]:
    """The visits of this graph's own nodes by step, each with what ran inside it."""
    inner: list[NodeRun] = []
    visits: list[tuple[NodeRun, list[NodeRun]]] = []
    step = 0
    for run in runs:
        if len(run.node) > depth:
            inner.append(run)
            continue
        if visits and run.step != step:
            yield step, visits
            visits = []
        step = run.step
        visits.append((run, inner))
        inner = []
    if visits:
        yield step, visits


def _settle(book: Audit, runs: Sequence[NodeRun]) -> bool:
    writes = [write for run in runs for write in run.writes]
    try:
        check_conflicts(book.channels, [run.writes for run in runs])
        book.state = apply(book.channels, book.state, writes)
    except (ConflictError, WriteError):
        book.failed = True
        return False
    book.writes += writes
    return True


def _next(
    config: GraphConfig, visits: Sequence[tuple[NodeRun, list[NodeRun]]], arrived: dict[str, set[str]]
) -> set[str]:
    """Nodes that the taken edges make ready."""
    ready: set[str] = set()
    for run, _ in visits:
        for target in run.taken:
            if _node(config, target).join is Join.ANY:
                ready.add(target)
            else:
                arrived.setdefault(target, set()).add(run.node[-1])
    for target, sources in tuple(arrived.items()):
        if sources == {edge.source for edge in config.edges if edge.target == target}:
            ready.add(target)
            del arrived[target]
    return ready


def _check_visit(book: Audit, config: GraphConfig, run: NodeRun, inner: Sequence[NodeRun]) -> None:
    """Judge one visit on the state before its step."""
    if run.outcome is Outcome.FAILED:
        return
    node = _node(config, run.node[-1])
    edges = [edge for edge in config.edges if edge.source == node.id]
    name = "/".join(run.node)
    try:
        _check_writes(book, node, run, name)
        _check_edges(book, node, run, edges)
        if body_of(node) is not None:
            _check_body(book, node, run, inner)
    except (ConflictError, ExpressionError, WriteError) as error:
        book.doubt("should-have-failed", f"node {name!r} went on, although {error}")


def _check_edges(book: Audit, node: Node, run: NodeRun, edges: Sequence[Edge]) -> None:
    """The edges out of a node follow the state after it. Raises `WriteError`."""
    after = apply(book.channels, book.state, run.writes)
    took = f"node {'/'.join(run.node)!r} took the edges to {list(run.taken)}"
    try:
        expected = () if run.outcome is Outcome.BLOCKED else expected_edges(edges, node, after)
    except ExpressionError as error:
        book.doubt("wrong-edges", f"{took}, although {error}")
        return
    if run.taken != expected:
        book.doubt("wrong-edges", f"{took}, open were {list(expected)}")


def expected_edges(edges: Sequence[Edge], node: Node, state: State) -> tuple[str, ...]:
    """Targets of the edges that the node must take in this state. Raises `ExpressionError`."""
    open_edges = [edge for edge in edges if edge.condition is None or parse(edge.condition).holds(state)]
    if not isinstance(node.config, RouterConfig):
        return tuple(edge.target for edge in open_edges)
    heaviest = max((edge.weight for edge in open_edges), default=0.0)
    return tuple(edge.target for edge in open_edges if edge.weight == heaviest)[:1]


def _check_writes(book: Audit, node: Node, run: NodeRun, name: str) -> None:
    """What the node's type says about its writes. Raises `ExpressionError`."""
    match node.config:
        case TransformConfig(assign=assign):
            expected = [(channel, parse(text)(book.state)) for channel, text in assign.items()]
            if not _same_writes(run.writes, expected):
                book.doubt("wrong-writes", f"node {name!r} wrote {list(run.writes)}, its expressions give {expected}")
        case ModelConfig(writes=channel) | ToolConfig(writes=channel):
            if [written for written, _ in run.writes] != [channel]:
                book.doubt("wrong-writes", f"node {name!r} wrote {list(run.writes)}, not {channel!r} once")
        case GateConfig(condition=condition):
            blocked = run.outcome is Outcome.BLOCKED
            if parse(condition).holds(book.state) is blocked:
                book.doubt("wrong-gate", f"gate {name!r} was {'shut' if blocked else 'open'} against its condition")
    if run.attempts > node.retries + 1:
        book.doubt("too-many-attempts", f"node {name!r} made {run.attempts} attempts, {node.retries + 1} are allowed")


def _check_body(book: Audit, node: Node, run: NodeRun, inner: Sequence[NodeRun]) -> None:
    """Follow the rounds of a body; together they must have written what the node reports. Raises `ConflictError`."""
    config = node.config
    if isinstance(config, TimeoutConfig) and not inner:
        if not _same_writes(run.writes, list(config.fallback.items())):
            book.doubt("wrong-writes", f"node {node.id!r} timed out and wrote {list(run.writes)}, not its fallback")
        return
    body = body_of(node)
    assert body is not None
    ended: list[Audit] = []
    state: State = book.state
    level = len(run.iterations)
    rounds = _rounds(inner, level) if isinstance(config, LoopConfig | FanOutConfig) else [list(inner)]
    for number, runs in enumerate(rounds):
        before = {**book.state, config.item: _item(book, config, number)} if isinstance(config, FanOutConfig) else state
        nested = audit(body, book.channels, before, runs)
        book.doubts += nested.doubts
        ended.append(nested)
        state = nested.state
        if not nested.ended:
            book.doubt("body-unfinished", f"round {number} in node {node.id!r} ended with nodes left to run")
    writes = [write for nested in ended for write in nested.writes]
    if not _same_writes(run.writes, writes):
        book.doubt("wrong-writes", f"node {node.id!r} reports {list(run.writes)}, its body wrote {writes}")
    if isinstance(config, LoopConfig):
        _check_rounds(book, node.id, config, [nested.state for nested in ended])
    elif isinstance(config, FanOutConfig):
        check_conflicts(book.channels, [nested.writes for nested in ended])


def _check_rounds(book: Audit, name: str, config: LoopConfig, states: Sequence[State]) -> None:
    """A loop ends after the first round, within its bounds, behind which its condition holds."""
    rounds, until = len(states), parse(config.until)
    if not config.min_iterations <= rounds <= config.max_iterations:
        book.doubt("wrong-rounds", f"loop {name!r} ran {rounds} times")
    elif rounds < config.max_iterations and not until.holds(states[-1]):
        book.doubt("wrong-rounds", f"loop {name!r} ended after {rounds} rounds although its condition does not hold")
    for number, state in enumerate(states[config.min_iterations - 1 : -1], config.min_iterations):
        if until.holds(state):
            book.doubt("wrong-rounds", f"loop {name!r} went on after {number} rounds although its condition held")
            return


def _rounds(runs: Sequence[NodeRun], level: int) -> list[list[NodeRun]]:
    found: dict[int, list[NodeRun]] = {}
    for run in runs:
        found.setdefault(run.iterations[level] if len(run.iterations) > level else 0, []).append(run)
    return list(found.values())


def _item(book: Audit, config: FanOutConfig, number: int) -> Value:
    items = book.state[config.over]
    if not isinstance(items, list) or number >= len(items):
        book.doubt("wrong-rounds", f"the body ran for item {number}, which {config.over!r} does not have")
        return None
    return items[number]


def _same_writes(first: Sequence[Write], second: Sequence[Write]) -> bool:
    return len(first) == len(second) and all(
        one[0] == two[0] and same_value(one[1], two[1]) for one, two in zip(first, second, strict=True)
    )


def _node(config: GraphConfig, name: str) -> Node:
    return next(node for node in config.nodes if node.id == name)
