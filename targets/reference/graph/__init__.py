"""The reference graph runner: small, on asyncio, with timeouts, retries, cancellation and checkpoints."""

from __future__ import annotations

from targets.contract import Knob
from targets.graph.domain import DEFAULT_GRAPH_DOMAIN
from targets.graph.target import graph_target
from targets.reference.graph.runner import GraphRunner

__all__ = ["TARGET", "GraphRunner"]

TARGET = graph_target(
    "graph",
    "reference workflow-graph runner",
    DEFAULT_GRAPH_DOMAIN,
    GraphRunner,
    knobs=(
        Knob("max_parallel", 64, (64, 1, 2), "nodes of one step that run at the same time"),
        Knob("order", "declared", ("declared", "reversed"), "in which the nodes of one step are started"),
    ),
    modules=("targets.reference.graph",),
)
