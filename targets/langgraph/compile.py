"""A graph config compiled to LangGraph's `StateGraph`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import RetryPolicy

from targets.graph.config import Channel, Reducer
from targets.graph.state import reduce
from targets.langgraph.nodes import PREFIX, VISITS, Nested, is_conditional, make_node, make_route, retried
from targets.reference.graph.plan import Plan


def build(plan: Plan, asynchronous: bool, nested: Nested) -> StateGraph[Any, Any, Any, Any]:
    """The `StateGraph` of a plan; bodies are built on their own and reached through `nested`."""
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(_schema(plan.channels))
    for node in plan.nodes.values():
        graph.add_node(node.id, make_node(node, asynchronous, nested), retry_policy=_retry(node.retries))
    for name in plan.entry:
        graph.add_edge(START, name)
    for name, sources in plan.joins.items():
        graph.add_edge(sorted(sources), name)
    for node in plan.nodes.values():
        targets = tuple(way.target for way in plan.ways[node.id] if way.target not in plan.joins)
        if is_conditional(node, plan):
            graph.add_conditional_edges(node.id, make_route(node, plan, targets, asynchronous), list(targets) or None)
        else:
            for target in targets:
                graph.add_edge(node.id, target)
    return graph


def _schema(channels: Mapping[str, Channel]) -> Any:
    fields: dict[str, Any] = {VISITS: Annotated[dict[str, int], _counted]}
    for name, channel in channels.items():
        # Any has no empty value, so the first write, the initial state, is taken as it is.
        kept = channel.reducer is Reducer.LAST
        fields[PREFIX + name] = Any if kept else Annotated[Any, functools.partial(reduce, channel.reducer)]
    return TypedDict("State", fields)  # type: ignore[operator]


def _counted(held: dict[str, int], added: dict[str, int]) -> dict[str, int]:
    return {name: held.get(name, 0) + added.get(name, 0) for name in {**held, **added}}


def _retry(retries: int) -> RetryPolicy | None:
    if not retries:
        return None
    return RetryPolicy(
        initial_interval=0.0, backoff_factor=1.0, max_attempts=retries + 1, jitter=False, retry_on=retried
    )
