"""Which graph configs are refused, and how the refusal reads."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from targets.graph.config import GraphConfig
from targets.graph.contract import GraphRejected
from targets.graph.domain import GraphDomain
from targets.graph.script import GraphInputs
from targets.graph.validate import check_inputs, decode_config

VALID: dict[str, Any] = {
    "nodes": [
        {"id": "in", "config": {"type": "entry"}},
        {"id": "work", "config": {"type": "transform", "assign": {"count": "count + 1"}}},
        {"id": "out", "config": {"type": "exit"}},
    ],
    "edges": [{"source": "in", "target": "work"}, {"source": "work", "target": "out"}],
    "entry": ["in"],
    "exits": ["out"],
    "state": {"count": {"reducer": "sum"}},
}


def changed(*path: str | int, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(VALID)
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    if isinstance(place, list) and path[-1] == len(place):
        place.append(value)
    else:
        place[path[-1]] = value
    return document


def test_a_valid_config_is_accepted() -> None:
    assert isinstance(decode_config(VALID), GraphConfig)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (changed("edges", 1, "target", value="outt"), r"edges\[1\].target = 'outt'.*Did you mean 'out'"),
        (changed("nodes", 1, "id", value="in"), r"nodes\[1\].id = 'in' is refused: an id that no other"),
        (changed("nodes", 1, "id", value="a\x07"), r"nodes\[1\].id = 'a\\x07' is refused: a name without control"),
        (changed("nodes", 1, "id", value="\u202ex"), "without control characters"),
        (changed("nodes", 1, "id", value=""), "1 to 100 characters"),
        (changed("nodes", 1, "retries", value="2"), r"nodes\[1\].retries = '2'.*expected `int`"),
        (changed("nodes", 1, "retries", value=11), r"nodes\[1\].retries = 11 .* 0\.\.10"),
        (changed("nodes", 1, "timeout", value=0), "seconds above 0"),
        (changed("nodes", 1, "config", "type", value="wait"), r"nodes\[1\].config.type"),
        (changed("edges", 0, "condition", value="count >"), r"edges\[0\].condition = 'count >'"),
        (changed("edges", 0, "condition", value="cuont > 1"), r"not 'cuont'. Did you mean 'count'"),
        (changed("edges", 0, "weight", value=0), r"edges\[0\].weight"),
        (changed("edges", 2, value={"source": "work", "target": "work"}), "another node than the source"),
        (changed("edges", 2, value={"source": "in", "target": "work"}), "at most one edge between"),
        (changed("edges", 2, value={"source": "work", "target": "in"}), "no incoming edges at an entry node"),
        (changed("entry", value=[]), "entry = .* at least one entry node"),
        (changed("entry", value=["work"]), r"entry\[0\] = 'work'.*a node of type entry, not transform"),
        (changed("exits", value=["nowhere"]), r"exits\[0\] = 'nowhere'"),
        (
            changed("edges", value=[{"source": "in", "target": "work"}]),
            r"nodes\[2\].id = 'out'.*some entry node leads to",
        ),
        (changed("state", "count", "initial", value="0"), "state.count.initial"),
        (changed("state", value={}), "a declared channel"),
        (changed("limits", value={"max_steps": 0}), "limits.max_steps = 0"),
        (changed("surprise", value=1), "unknown field `surprise`"),
        (None, "the config"),
        ([1], "the config"),
        ({}, "missing required field `nodes`"),
    ],
)
def test_a_refusal_names_the_place_and_what_is_allowed(document: object, message: str) -> None:
    with pytest.raises(GraphRejected, match=message):
        decode_config(document)


def test_ten_thousand_nodes_are_refused_by_their_number() -> None:
    nodes = [{"id": f"n{number}", "config": {"type": "exit"}} for number in range(10_000)]
    with pytest.raises(GraphRejected, match="nodes = '10000 entries' is refused: at most 1000 entries"):
        decode_config(changed("nodes", value=nodes))


def test_nodes_inside_bodies_count() -> None:
    body = {key: VALID[key] for key in ("nodes", "edges", "entry", "exits")}
    document = changed("nodes", 1, "config", value={"type": "subgraph", "body": body})
    decode_config(document, GraphDomain(max_nodes=6))
    with pytest.raises(GraphRejected, match="'6 nodes'"):
        decode_config(document, GraphDomain(max_nodes=5))


def test_bodies_inside_bodies_are_bounded() -> None:
    document = copy.deepcopy(VALID)
    for _ in range(9):
        body = {key: document[key] for key in ("nodes", "edges", "entry", "exits")}
        document = changed("nodes", 1, "config", value={"type": "subgraph", "body": body})
    with pytest.raises(GraphRejected, match="at most 8 bodies"):
        decode_config(document)


def test_a_cycle_needs_permission() -> None:
    loop = changed("edges", 2, value={"source": "again", "target": "work"})
    loop["nodes"].append({"id": "again", "config": {"type": "router"}})
    loop["edges"].append({"source": "work", "target": "again"})
    with pytest.raises(GraphRejected, match=r"cycles = False .* with a cycle"):
        decode_config(loop)
    decode_config({**loop, "cycles": True})


def test_a_refusal_stays_short_whatever_was_given() -> None:
    with pytest.raises(GraphRejected) as caught:
        decode_config(changed("nodes", 1, "id", value="x" * 100_000))
    assert len(str(caught.value)) < 300


def test_a_domain_can_forbid_timeouts_joins_and_characters() -> None:
    strict = GraphDomain(deadlines=False, joins=False, forbidden_characters="|")
    for document in (
        changed("nodes", 1, "timeout", value=1.0),
        changed("nodes", 1, "join", value="all"),
        changed("nodes", 1, "id", value="a|b"),
    ):
        with pytest.raises(GraphRejected):
            decode_config(document, strict)


def test_a_missing_and_an_undeclared_variable_are_refused() -> None:
    config = decode_config(changed("nodes", 0, "config", value={"type": "entry", "requires": ["count"]}))
    with pytest.raises(GraphRejected, match="'count', which 'in' requires"):
        check_inputs(config, GraphInputs())
    with pytest.raises(GraphRejected, match=r"variables.cuont = 1 .*Did you mean 'count'"):
        check_inputs(config, GraphInputs(variables={"cuont": 1}))
    with pytest.raises(GraphRejected, match="reducer sum"):
        check_inputs(config, GraphInputs(variables={"count": "1"}))
    check_inputs(config, GraphInputs(variables={"count": 1}))
