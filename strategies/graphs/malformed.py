"""Malformed graph configs: one named defect in an otherwise valid config, and the proof that it is invalid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import strategies as st

from strategies.graphs.cases import draw_case
from strategies.graphs.space import GraphSpace
from strategies.source import Source, drawn
from targets.graph.case import ConfigDefect, GraphCase, Patch, document_of
from targets.graph.config import ExitConfig, GraphConfig
from targets.graph.contract import GraphRejected
from targets.graph.domain import GraphDomain
from targets.graph.expression import MAX_DEPTH, MAX_LENGTH
from targets.graph.validate import decode_config

Patches = tuple[Patch, ...]


def malformed_graph_cases(space: GraphSpace) -> st.SearchStrategy[GraphCase]:
    """Malformed graph cases for Hypothesis."""
    return drawn(lambda source: draw_malformed_case(source, space))


def draw_malformed_case(source: Source, space: GraphSpace) -> GraphCase:
    """A valid case with one named defect in its config."""
    small = msgspec.structs.replace(space, large_share=0.0)
    return with_defect(draw_case(source, small), source, space.domain)


def with_defect(case: GraphCase, source: Source, domain: GraphDomain) -> GraphCase:
    """The case with a drawn defect."""
    name = source.choice(tuple(DEFECTS))
    defect = ConfigDefect(name=name, patches=DEFECTS[name](source, case.config, domain))
    return msgspec.structs.replace(case, pause=None, defect=defect)


def prove(case: GraphCase, domain: GraphDomain) -> str:
    """Why the case's document is invalid as serialised; an empty text if it is valid after all."""
    try:
        decode_config(msgspec.json.decode(msgspec.json.encode(document_of(case))), domain)
    except GraphRejected as error:
        return str(error)
    return ""


def unknown_target(source: Source, config: GraphConfig, _: GraphDomain) -> Patches:
    """An edge to a node that does not exist."""
    name = source.choice(("nowhere", "", config.nodes[0].id + "x"))
    return (_set("edges", source.integer(0, len(config.edges) - 1), "target", value=name),)


def unknown_source(source: Source, config: GraphConfig, _: GraphDomain) -> Patches:
    """An edge from a node that does not exist."""
    return (_set("edges", source.integer(0, len(config.edges) - 1), "source", value="nowhere"),)


def duplicate_id(source: Source, config: GraphConfig, _: GraphDomain) -> Patches:
    """Two nodes with one id."""
    node = msgspec.to_builtins(source.choice(config.nodes))
    return (_set("nodes", len(config.nodes), value=node),)


def unreachable_exit(_: Source, config: GraphConfig, __: GraphDomain) -> Patches:
    """An exit node that no edge leads to."""
    node = {"id": "island", "config": {"type": "exit"}}
    return (
        _set("nodes", len(config.nodes), value=node),
        _set("exits", len(config.exits), value="island"),
    )


def unlisted_exit(_: Source, __: GraphConfig, ___: GraphDomain) -> Patches:
    """No exit points."""
    return (_set("exits", value=[]),)


def missing_entry(source: Source, _: GraphConfig, __: GraphDomain) -> Patches:
    """No entry points, or an unknown one."""
    return (_set("entry", value=source.choice(([], ["nowhere"]))),)


def entry_of_wrong_type(_: Source, config: GraphConfig, __: GraphDomain) -> Patches:
    """An exit node as entry point."""
    return (_set("entry", value=[*config.entry, config.exits[0]]),)


def forbidden_cycle(_: Source, config: GraphConfig, __: GraphDomain) -> Patches:
    """Two nodes that lead to each other in a graph that allows no cycles."""
    nodes = [{"id": name, "config": {"type": "transform", "assign": {}}} for name in ("tick", "tock")]
    ways = ((config.entry[0], "tick"), ("tick", "tock"), ("tock", "tick"))
    edges = [{"source": source, "target": target} for source, target in ways]
    return (
        *(_set("nodes", len(config.nodes) + place, value=node) for place, node in enumerate(nodes)),
        *(_set("edges", len(config.edges) + place, value=edge) for place, edge in enumerate(edges)),
        _set("cycles", value=False),
    )


def self_loop(_: Source, config: GraphConfig, __: GraphDomain) -> Patches:
    """An edge from a node to itself."""
    name = next((node.id for node in config.nodes if node.type not in ("entry", "exit")), config.entry[0])
    return (_set("edges", len(config.edges), value={"source": name, "target": name}), _set("cycles", value=True))


def duplicate_edge(source: Source, config: GraphConfig, _: GraphDomain) -> Patches:
    """The same edge twice."""
    return (_set("edges", len(config.edges), value=msgspec.to_builtins(source.choice(config.edges))),)


def wrong_type(source: Source, config: GraphConfig, _: GraphDomain) -> Patches:
    """A value of another type than its field."""
    node = source.integer(0, len(config.nodes) - 1)
    edge = source.integer(0, len(config.edges) - 1)
    return source.choice(
        (
            (_set("nodes", node, "id", value=7),),
            (_set("nodes", node, "retries", value="1"),),
            (_set("nodes", node, "retries", value=1.5),),
            (_set("nodes", node, "config", value=None),),
            (_set("nodes", node, "config", "type", value="teleport"),),
            (_set("nodes", node, "surprise", value=1),),
            (_set("edges", edge, "condition", value=True),),
            (_set("edges", edge, "weight", value="heavy"),),
            (_set("limits", value=[1]),),
            (_set("cycles", value=1),),
            (_set("nodes", value="abc"),),
            (_set("state", value=[]),),
            (Patch(path=("nodes",), remove=True),),
            (Patch(path=(), value=None),),
            (Patch(path=(), value=[]),),
        )
    )


def out_of_range(source: Source, config: GraphConfig, domain: GraphDomain) -> Patches:
    """A number beyond its bounds."""
    node = source.integer(0, len(config.nodes) - 1)
    edge = source.integer(0, len(config.edges) - 1)
    return source.choice(
        (
            (_set("nodes", node, "retries", value=-1),),
            (_set("nodes", node, "retries", value=domain.max_retries + 1),),
            (_set("nodes", node, "timeout", value=0.0),),
            (_set("nodes", node, "timeout", value=-1.0),),
            (_set("nodes", node, "timeout", value=1e308),),
            (_set("edges", edge, "weight", value=0.0),),
            (_set("edges", edge, "weight", value=-1.0),),
            (_set("limits", value={"max_steps": 0}),),
            (_set("limits", value={"max_steps": domain.max_steps + 1}),),
            (_set("limits", value={"max_steps": 2**64}),),
            (_set("limits", value={"max_parallel": 0}),),
        )
    )


def bad_condition(source: Source, config: GraphConfig, _: GraphDomain) -> Patches:
    """A condition outside the expression language."""
    texts = (
        "",
        "count <",
        "count = 1",
        "nothing > 1",
        "__import__('os').getpid() > 0",
        "count.real > 0",
        "(lambda: true)()",
        "[x for x in log] == []",
        "count ** 99 > 0",
        "1.5 < 2",
        "(" * 400,
        "[" * 100 + "]" * 100 + " == []",
        "not " * (MAX_DEPTH + 2) + "true",
        "count > " + "1" * MAX_LENGTH,
        "count > 0 \x00",
        "f'{count}' == ''",
    )
    return (_set("edges", source.integer(0, len(config.edges) - 1), "condition", value=source.choice(texts)),)


def deep_nesting(source: Source, config: GraphConfig, domain: GraphDomain) -> Patches:
    """Bodies inside bodies beyond the limit."""
    node: dict[str, Any] = {"id": "n", "config": {"type": "transform", "assign": {}}}
    for _ in range(domain.max_depth + source.choice((1, 2, 30))):
        node = {"id": "n", "config": {"type": "subgraph", "body": _around(node)}}
    return _appended(config, node)


def huge_fan_out(source: Source, config: GraphConfig, domain: GraphDomain) -> Patches:
    """A fan-out over more items than allowed, or to more nodes."""
    if source.boolean():
        most = source.choice((domain.max_items + 1, 10**9, 2**63))
        body = _around({"id": "n", "config": {"type": "transform", "assign": {}}})
        options = {"type": "fan_out", "over": "items", "item": "item", "max_items": most, "body": body}
        return _appended(config, {"id": "fan", "config": options})
    wide = {"id": "wide{i}", "config": {"type": "transform", "assign": {}}}
    count = domain.max_nodes + 1
    way = {"source": config.entry[0], "target": "wide{i}"}
    return (Patch(path=("nodes",), value=wide, copies=count), Patch(path=("edges",), value=way, copies=count))


def hostile_name(source: Source, config: GraphConfig, domain: GraphDomain) -> Patches:
    """A node name with control characters, without characters, or endless."""
    names = ["", "a\x00b", "a\nb", "\x1b[31m", "\u202edcba", "\ufeff", "n" * 101, "\x7f"]
    names += [f"a{character}b" for character in domain.forbidden_characters] + list(domain.forbidden_names)
    return _appended(config, {"id": source.choice(names), "config": {"type": "transform", "assign": {}}})


def unknown_channel(source: Source, config: GraphConfig, _: GraphDomain) -> Patches:
    """A node that reads or writes a channel that is not declared."""
    options = source.choice(
        (
            {"type": "model", "writes": "nothing"},
            {"type": "tool", "tool": "t", "writes": "count", "reads": ["nothing"]},
            {"type": "transform", "assign": {"nothing": "1"}},
            {"type": "transform", "assign": {"count": "nothing"}},
        )
    )
    return _appended(config, {"id": "astray", "config": options})


def bad_initial(source: Source, _: GraphConfig, __: GraphDomain) -> Patches:
    """A channel whose initial value its reducer cannot combine."""
    channel = source.choice(
        (
            {"reducer": "sum", "initial": "0"},
            {"reducer": "sum", "initial": True},
            {"reducer": "append", "initial": "text"},
            {"reducer": "union", "initial": [1]},
            {"reducer": "average"},
            {"initial": {"a": 1}},
            {"initial": 0.5},
        )
    )
    return (_set("state", "count", value=channel),)


def conflicting_limits(source: Source, config: GraphConfig, domain: GraphDomain) -> Patches:
    """Two limits that cannot both hold."""
    if source.boolean() and domain.deadlines:
        node = source.integer(0, len(config.nodes) - 1)
        return (_set("limits", value={"timeout": 1.0}), _set("nodes", node, "timeout", value=2.0))
    body = _around({"id": "n", "config": {"type": "transform", "assign": {}}})
    options = {"type": "loop", "body": body, "min_iterations": 5, "max_iterations": 2}
    return _appended(config, {"id": "round", "config": options})


def starving_join(_: Source, config: GraphConfig, __: GraphDomain) -> Patches:
    """A join that waits for an edge which may never be taken."""
    start = config.entry[0]
    nodes = [
        {"id": "left", "config": {"type": "gate", "condition": "count > 0"}},
        {"id": "right", "config": {"type": "transform", "assign": {}}},
        {"id": "meet", "config": {"type": "transform", "assign": {}}, "join": "all"},
    ]
    ways = ((start, "left"), (start, "right"), ("left", "meet"), ("right", "meet"))
    edges = [{"source": source, "target": target} for source, target in ways]
    return (
        *(_set("nodes", len(config.nodes) + place, value=node) for place, node in enumerate(nodes)),
        *(_set("edges", len(config.edges) + place, value=edge) for place, edge in enumerate(edges)),
    )


DEFECTS: dict[str, Callable[[Source, GraphConfig, GraphDomain], Patches]] = {
    "unknown-target": unknown_target,
    "unknown-source": unknown_source,
    "duplicate-id": duplicate_id,
    "unreachable-exit": unreachable_exit,
    "no-exit": unlisted_exit,
    "missing-entry": missing_entry,
    "wrong-entry": entry_of_wrong_type,
    "forbidden-cycle": forbidden_cycle,
    "self-loop": self_loop,
    "duplicate-edge": duplicate_edge,
    "wrong-type": wrong_type,
    "out-of-range": out_of_range,
    "bad-condition": bad_condition,
    "deep-nesting": deep_nesting,
    "huge-fan-out": huge_fan_out,
    "hostile-name": hostile_name,
    "unknown-channel": unknown_channel,
    "bad-initial": bad_initial,
    "conflicting-limits": conflicting_limits,
    "starving-join": starving_join,
}
"""Every defect by its name."""


def _set(*path: str | int, value: Any) -> Patch:
    return Patch(path=path, value=value)


def _appended(config: GraphConfig, node: dict[str, Any]) -> Patches:
    """One more node, between an entry node and an exit node of its own."""
    way = {"source": config.entry[0], "target": node["id"]}
    return (_set("nodes", len(config.nodes), value=node), _set("edges", len(config.edges), value=way))


def _around(node: dict[str, Any]) -> dict[str, Any]:
    """A body with just this node."""
    exit_ = msgspec.to_builtins(ExitConfig())
    return {
        "nodes": [{"id": "i", "config": {"type": "entry"}}, node, {"id": "o", "config": exit_}],
        "edges": [{"source": "i", "target": node["id"]}, {"source": node["id"], "target": "o"}],
        "entry": ["i"],
        "exits": ["o"],
    }
