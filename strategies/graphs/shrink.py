"""Steps from a graph case to simpler ones, for shrinking a finding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from strategies.graphs.mutate import without_node
from targets.codec import encode
from targets.graph.case import GraphCase, Pause
from targets.graph.config import GraphConfig, GraphLimits, Join, Node, TransformConfig, body_of, with_body
from targets.graph.script import GraphInputs, NodeReplies, Reply, Script

_PLAIN = TransformConfig(assign={})


def size(case: GraphCase) -> int:
    """How large a case is; every step of `simplify` makes it smaller."""
    return len(encode(case))


def simplify(case: GraphCase) -> Iterator[GraphCase]:
    """Simpler cases, the most aggressive first; some of them may be invalid, none is larger."""
    most = size(case)
    for simpler in _candidates(case):
        if size(simpler) < most:
            yield simpler


def _candidates(case: GraphCase) -> Iterator[GraphCase]:
    replace = msgspec.structs.replace
    if case.script.nodes:
        yield replace(case, script=Script(cancel_at=case.script.cancel_at))
    yield replace(case, knobs={})
    yield replace(case, pause=None)
    yield replace(case, inputs=GraphInputs())
    for config in simpler_configs(case.config):
        # A defect is a place in the document: it stays put only while the lists it points into do.
        if case.defect is None or (len(config.nodes), len(config.edges)) == (
            len(case.config.nodes),
            len(case.config.edges),
        ):
            yield replace(case, config=config, script=_reachable_script(case.script, config))
    for script in _simpler_scripts(case.script):
        yield replace(case, script=script)
    for name in case.inputs.variables:
        variables = {other: value for other, value in case.inputs.variables.items() if other != name}
        yield replace(case, inputs=replace(case.inputs, variables=variables))
    yield replace(case, inputs=replace(case.inputs, message=""))
    yield replace(case, inputs=replace(case.inputs, context={}))
    if case.pause:
        yield replace(case, pause=replace(case.pause, writes={}))
        yield replace(case, pause=replace(case.pause, after=1))
        yield from _interrupted_earlier(case, case.pause)


def _interrupted_earlier(case: GraphCase, pause: Pause) -> Iterator[GraphCase]:
    """Without a node, and interrupted a step earlier, since the steps behind it have moved up."""
    replace = msgspec.structs.replace
    earlier = replace(pause, after=pause.after - 1)
    if earlier.after < 1 or case.defect is not None:
        return
    for node in reversed(_inner(case.config)):
        config = without_node(case.config, node.id)
        yield replace(case, config=config, script=_reachable_script(case.script, config), pause=earlier)


def simpler_configs(config: GraphConfig) -> Iterator[GraphConfig]:
    """Configs with a node, an edge, a channel or an option less."""
    replace = msgspec.structs.replace
    for node in reversed(_inner(config)):
        yield without_node(config, node.id)
    for place in reversed(range(len(config.edges))):
        yield replace(config, edges=config.edges[:place] + config.edges[place + 1 :])
    for name in config.entry if len(config.entry) > 1 else ():
        yield replace(without_node(config, name), entry=tuple(other for other in config.entry if other != name))
    for place, node in enumerate(config.nodes):
        for simpler in _simpler_nodes(node):
            yield replace(config, nodes=(*config.nodes[:place], simpler, *config.nodes[place + 1 :]))
    for place, edge in enumerate(config.edges):
        for fields in ({"condition": None}, {"weight": 1.0}):
            changed = replace(edge, **fields)
            yield replace(config, edges=(*config.edges[:place], changed, *config.edges[place + 1 :]))
    for name in config.state:
        yield replace(config, state={other: channel for other, channel in config.state.items() if other != name})
    yield replace(config, limits=GraphLimits())
    yield replace(config, cycles=False)


def _inner(config: GraphConfig) -> list[Node]:
    """The nodes that a config can do without: neither an entry nor its first exit."""
    return [node for node in config.nodes if node.type != "entry" and node.id not in config.exits[:1]]


def _simpler_nodes(node: Node) -> Iterator[Node]:
    replace = msgspec.structs.replace
    body = body_of(node)
    if node.type not in ("entry", "exit"):
        yield replace(node, config=_PLAIN)
    options: tuple[dict[str, Any], ...] = ({"retries": 0}, {"timeout": None}, {"join": Join.ANY})
    for fields in options:
        yield replace(node, **fields)
    if body is not None:
        for simpler in simpler_configs(body):
            yield with_body(node, simpler)
    reads = getattr(node.config, "reads", None)
    if isinstance(reads, tuple) and reads:
        yield replace(node, config=replace(node.config, reads=reads[1:]))
    if isinstance(node.config, TransformConfig) and len(node.config.assign) > 1:
        for name, text in node.config.assign.items():
            yield replace(node, config=TransformConfig(assign={name: text}))


def _simpler_scripts(script: Script) -> Iterator[Script]:
    for place, entry in enumerate(script.nodes):
        rest = (script.nodes[:place], script.nodes[place + 1 :])
        yield Script(nodes=rest[0] + rest[1], cancel_at=script.cancel_at)
        for replies in _simpler_replies(entry.replies):
            changed = NodeReplies(node=entry.node, replies=replies)
            yield Script(nodes=(*rest[0], changed, *rest[1]), cancel_at=script.cancel_at)


def _simpler_replies(replies: tuple[Reply, ...]) -> Iterator[tuple[Reply, ...]]:
    if len(replies) > 1:
        yield replies[:1]
        yield replies[1:]
    for place, reply in enumerate(replies):
        options: tuple[dict[str, Any], ...] = (
            {"latency": 0.0},
            {"busy": 0.0},
            {"failures": 0},
            {"partial": False},
            {"value": None},
        )
        for fields in options:
            changed = msgspec.structs.replace(reply, **fields)
            yield (*replies[:place], changed, *replies[place + 1 :])


def _reachable_script(script: Script, config: GraphConfig) -> Script:
    """Without replies for nodes that are gone."""
    names = {node.id for node in config.nodes}
    return Script(nodes=tuple(entry for entry in script.nodes if entry.node[0] in names), cancel_at=script.cancel_at)
