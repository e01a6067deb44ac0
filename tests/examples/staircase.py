"""A workflow runner with a graph schema of its own, standing in for yours; `graph_adapter` makes it a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Condition = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Step:
    """A typed node: `start`, `ask` (options `into`), `set` (options `values`) or `end`."""

    name: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """An edge, taken when its condition holds."""

    from_node: str
    to_node: str
    weight: float = 1.0
    condition: Condition | None = None


@dataclass(frozen=True)
class Workflow:
    """A graph with several entry and exit points, and how writes join what a state key holds."""

    nodes: list[Step]
    edges: list[Link]
    entry_points: list[str]
    exit_points: list[str]
    reducers: Mapping[str, Callable[[Any, Any], Any]]


class TooManyFrontsError(Exception):
    """The workflow did not end in time."""


def execute(
    flow: Workflow, state: dict[str, Any], ask: Callable[[str, Mapping[str, Any]], Any], max_fronts: int
) -> tuple[dict[str, Any], int]:
    """Run front by front until no node is left; returns the state and the number of fronts."""
    steps = {step.name: step for step in flow.nodes}
    front, fronts = list(flow.entry_points), 0
    while front:
        if fronts == max_fronts:
            raise TooManyFrontsError(f"{front} would run after {max_fronts} fronts")
        written = {name: _work(steps[name], state, ask) for name in front}
        following: dict[str, None] = {}
        after = state
        for name, writes in written.items():
            own = _merged(flow, state, writes)
            after = _merged(flow, after, writes)
            leaving = sorted((link for link in flow.edges if link.from_node == name), key=lambda link: -link.weight)
            following |= {link.to_node: None for link in leaving if link.condition is None or link.condition(own)}
        front, state, fronts = list(following), after, fronts + 1
    return state, fronts


def _work(step: Step, state: Mapping[str, Any], ask: Callable[[str, Mapping[str, Any]], Any]) -> dict[str, Any]:
    if step.kind == "ask":
        return {step.options["into"]: ask(step.name, state)}
    return {key: make(state) for key, make in step.options.get("values", {}).items()}


def _merged(flow: Workflow, state: dict[str, Any], writes: Mapping[str, Any]) -> dict[str, Any]:
    return {**state, **{key: flow.reducers[key](state[key], value) for key, value in writes.items()}}
