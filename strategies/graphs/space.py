"""What a graph runner can be asked: its documented domain and knobs, and how large ordinary cases are."""

from __future__ import annotations

import msgspec

from targets.contract import Knob, Target
from targets.graph.config import Channel, Reducer
from targets.graph.domain import DEFAULT_GRAPH_DOMAIN, GraphDomain

CHANNELS: dict[str, Channel] = {
    "answer": Channel(initial=""),
    "note": Channel(initial=""),
    "count": Channel(reducer=Reducer.SUM),
    "total": Channel(reducer=Reducer.SUM, initial=1),
    "best": Channel(reducer=Reducer.MAX, initial=0),
    "least": Channel(reducer=Reducer.MIN, initial=9),
    "log": Channel(reducer=Reducer.APPEND),
    "tags": Channel(reducer=Reducer.UNION),
    "items": Channel(initial=["x", "y", "z"]),
    "item": Channel(),
}
"""Channels that generated graphs share: every reducer, and a list to fan out over."""


class GraphSpace(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that generation and mutation need to know about a target."""

    domain: GraphDomain = DEFAULT_GRAPH_DOMAIN
    knobs: tuple[Knob, ...] = ()
    blocks: int = 4
    """Largest number of building blocks in a row."""
    depth: int = 2
    """Blocks and bodies inside each other."""
    large_share: float = 0.02
    """Share of graphs with up to `large` nodes."""
    large: int = 200

    def offers(self, node_type: str) -> bool:
        """Whether the target documents this node type."""
        return node_type in self.domain.node_types


def graph_space_of(target: Target) -> GraphSpace:
    """The space of a target of kind `graph`."""
    return GraphSpace(domain=target.graphs or DEFAULT_GRAPH_DOMAIN, knobs=target.knobs)
