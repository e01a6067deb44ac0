"""When two runs of a graph count as different, and what a case must not have for runs to be comparable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from targets.graph.case import GraphCase
from targets.graph.config import GraphConfig, Node, Reducer, TimeoutConfig, TransformConfig, Value, body_of
from targets.graph.result import GraphResult, NodeRun, RunStatus


def difference(first: GraphResult, second: GraphResult) -> tuple[str, str]:
    """Slug and sentence of the first difference in outcome, state and message; two empty texts if there is none."""
    if first.status is not second.status:
        return "status-differs", f"{_ending(first)} against {_ending(second)}"
    if first.status is RunStatus.FAILED:
        return _failure_difference(first, second)
    for name in sorted({*first.state, *second.state}):
        one, two = first.state.get(name), second.state.get(name)
        if not same_value(one, two):
            return "state-differs", f"channel {name!r} holds {_show(one)} against {_show(two)}"
    if first.message != second.message:
        return "message-differs", f"the message is {_show(first.message)} against {_show(second.message)}"
    return "", ""


def course_difference(first: GraphResult, second: GraphResult) -> tuple[str, str]:
    """The same, and in addition the nodes that ran, in their order, with what they wrote and where they led."""
    slug, sentence = difference(first, second)
    if slug or first.status is RunStatus.FAILED:
        return slug, sentence
    one, two = [_course(run) for run in first.nodes], [_course(run) for run in second.nodes]
    for position, (left, right) in enumerate(zip(one, two, strict=False)):
        if left != right:
            return "course-differs", f"visit {position + 1} is {_show(left)} against {_show(right)}"
    if len(one) != len(two):
        return "course-differs", f"{len(one)} visits against {len(two)}"
    return "", ""


def same_value(first: Value, second: Value) -> bool:
    """Equality in which true and 1 differ."""
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same_value, first, second))
    return type(first) is type(second) and first == second


def timed(config: GraphConfig) -> bool:
    """Whether anything in the graph may time out, so that its result depends on the clock."""
    if config.limits.timeout is not None:
        return True
    return any(node.timeout is not None or isinstance(node.config, TimeoutConfig) for node in all_nodes(config))


def order_sensitive(config: GraphConfig) -> bool:
    """Whether two nodes write one channel whose result depends on the order of writes."""
    seen: set[str] = set()
    for node in all_nodes(config):
        written = written_by(node)
        if body_of(node) is not None and node.type == "fan_out":
            return True
        for name in written:
            channel = config.state.get(name)
            reducer = channel.reducer if channel else Reducer.LAST
            if reducer is Reducer.APPEND and name in seen:
                return True
        seen |= written
    return False


def written_by(node: Node) -> set[str]:
    """Channels that a node itself may write."""
    if isinstance(node.config, TransformConfig):
        return set(node.config.assign)
    name = getattr(node.config, "writes", None)
    return {name} if isinstance(name, str) else set()


def all_nodes(config: GraphConfig) -> Iterator[Node]:
    """Every node, those inside bodies included."""
    return (node for _, node in nodes_by_path(config))


def nodes_by_path(config: GraphConfig, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Every node with its path from the outermost graph inwards; a nesting node stands before those in its body."""
    for node in config.nodes:
        path = (*above, node.id)
        yield path, node
        if body := body_of(node):
            yield from nodes_by_path(body, path)


def visits(result: GraphResult, path: tuple[str, ...]) -> int:
    """How often the node at a path ran."""
    return sum(1 for run in result.nodes if run.node == path)


def is_valid(case: GraphCase) -> bool:
    """Whether the case is meant to be accepted."""
    return case.defect is None


def _failure_difference(first: GraphResult, second: GraphResult) -> tuple[str, str]:
    # When several nodes of one step may fail, which of them ends the run can depend on who was faster.
    alone = all(_last_step(result) == 1 for result in (first, second))
    if alone and first.failure and second.failure and first.failure.kind is not second.failure.kind:
        return "failure-differs", f"{_ending(first)} against {_ending(second)}"
    return "", ""


def _last_step(result: GraphResult) -> int:
    """How many visits the last step has, those inside its nodes included."""
    return sum(1 for run in result.nodes if run.step == result.nodes[-1].step or len(run.node) > 1)


def _course(run: NodeRun) -> tuple[Any, ...]:
    return (run.node, run.step, run.iterations, str(run.outcome), run.writes, run.taken)


def _ending(result: GraphResult) -> str:
    if result.failure is None:
        return str(result.status)
    return f"{result.status} ({result.failure.kind} in {'/'.join(result.failure.node) or 'the run'})"


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:120]}..."
