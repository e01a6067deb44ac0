"""The audit of a record follows its edges."""

from __future__ import annotations

import pytest

from fuzz.properties.graphs.audit import audit
from targets.graph.config import Channel, Edge, EntryConfig, ExitConfig, GraphConfig, Node, Reducer
from targets.graph.result import NodeRun

CHANNELS = {"count": Channel(reducer=Reducer.SUM)}


def doubts_of(condition: str, taken: tuple[str, ...]) -> list[str]:
    """What the audit doubts in a record in which the entry took these edges, of one that has this condition."""
    config = GraphConfig(
        nodes=(Node(id="in", config=EntryConfig()), Node(id="out", config=ExitConfig())),
        edges=(Edge(source="in", target="out", condition=condition),),
        entry=("in",),
        exits=("out",),
        state=CHANNELS,
    )
    runs = [NodeRun(node=("in",), step=1, trace_id="t", taken=taken)]
    return [doubt.slug for doubt in audit(config, CHANNELS, {"count": 1}, runs).doubts]


@pytest.mark.parametrize(
    ("condition", "taken", "slugs"),
    [
        ("count == 1", ("out",), []),
        ("count == 2", ("out",), ["wrong-edges"]),
        ("count == 1", (), ["wrong-edges"]),
        ("count + 'a' == 1", ("out",), ["wrong-edges"]),
    ],
)
def test_edges_follow_the_state_and_none_is_taken_on_a_condition_that_has_no_value(
    condition: str, taken: tuple[str, ...], slugs: list[str]
) -> None:
    assert doubts_of(condition, taken) == slugs
