"""Which graph configs a runner documents as valid."""

from __future__ import annotations

import msgspec

from targets.graph.config import NODE_TYPES, Reducer


class GraphDomain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a runner supports and how much of it; `targets.graph.validate` judges configs by it."""

    node_types: tuple[str, ...] = NODE_TYPES
    reducers: tuple[Reducer, ...] = tuple(Reducer)
    max_nodes: int = 1000
    """Nodes of a config, those inside bodies included."""
    max_depth: int = 8
    """Bodies inside bodies."""
    max_steps: int = 10_000
    max_parallel: int = 1024
    max_items: int = 1024
    max_iterations: int = 1000
    max_retries: int = 10
    max_seconds: float = 86_400.0
    joins: bool = True
    """Nodes that wait for all their incoming edges."""
    deadlines: bool = True
    """Timeouts of nodes and of the run."""
    ordered_writes: bool = True
    """Writes of one step are applied in the declared order of their nodes."""
    whole_steps: bool = True
    """When a node fails, the others of its step still run to their end, and the result tells the state before it."""
    extra_steps: int = 0
    """Steps that may still run beyond the limit before the run fails."""
    limit_spans_resume: bool = True
    """The steps before a pause count towards the step limit of the resumed run."""
    reports_nodes: bool = True
    """Results tell the nodes that ran, with their writes and the edges taken."""
    forbidden_characters: str = ""
    """Characters that node and channel names may not contain, beside control characters."""
    forbidden_names: tuple[str, ...] = ()


DEFAULT_GRAPH_DOMAIN = GraphDomain()
