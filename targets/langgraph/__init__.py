"""LangGraph as a target: a graph config compiled to a `StateGraph`, with scripted models and tools.

LangGraph decides the steps, the routing, the reducers, the retries, the joins and the checkpoints. What a node does in
one attempt comes from the reference runner's handlers, for both runners the same.

What LangGraph documents differently: nodes have no timeout here; the writes of a step are applied in the order of node
names; a failing node cancels its neighbours; the recursion limit is reached by the step after the last, so it is set
to one more than `max_steps`; a resumed run has a limit of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from targets.contract import Knob
from targets.graph.config import NODE_TYPES
from targets.graph.domain import GraphDomain
from targets.graph.target import graph_target

if TYPE_CHECKING:
    from targets.langgraph.runner import LangGraphRunner

DOMAIN = GraphDomain(
    node_types=tuple(name for name in NODE_TYPES if name != "timeout"),
    max_nodes=300,
    deadlines=False,
    ordered_writes=False,
    whole_steps=False,
    extra_steps=1,
    limit_spans_resume=False,
    forbidden_characters="|:",
    forbidden_names=(
        "__start__",
        "__end__",
        "__input__",
        "__error__",
        "__error_source_node__",
        "__interrupt__",
        "__no_writes__",
        "__resume__",
        "__snapshot_bumps__",
        "configurable",
        "checkpoint_id",
        "checkpoint_map",
        "checkpoint_ns",
    ),
)

KNOBS = (
    Knob("asynchronous", False, (False, True), "run with ainvoke instead of invoke"),
    Knob("checkpointer", False, (False, True), "keep checkpoints in memory"),
    Knob("max_concurrency", 0, (0, 1, 2), "nodes of one step that run at the same time; 0 is unbounded"),
)


def _open(*, asynchronous: bool, checkpointer: bool, max_concurrency: int) -> LangGraphRunner:
    from targets.langgraph.runner import LangGraphRunner

    return LangGraphRunner(
        DOMAIN, asynchronous=asynchronous, checkpointer=checkpointer, max_concurrency=max_concurrency
    )


TARGET = graph_target(
    "langgraph",
    "LangGraph's StateGraph with scripted models and tools",
    DOMAIN,
    _open,
    knobs=KNOBS,
    modules=("langgraph.pregel", "langgraph.channels", "langgraph.graph"),
    requires={"langgraph": "pip install 'inferfuzz[langgraph]'"},
)
