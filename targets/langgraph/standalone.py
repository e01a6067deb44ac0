"""A short script that replays a recorded run on LangGraph alone, for a report to its maintainers.

Models, tools and expressions are replaced by what their nodes wrote and where they led in the recorded run, so the
script needs LangGraph and nothing of ours. It runs the graph in five ways that must agree and prints the final states.
"""

from __future__ import annotations

import pprint
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from targets.graph.case import GraphCase
from targets.graph.config import FanOutConfig, GraphConfig, LoopConfig, Reducer, body_of, channels_of
from targets.graph.result import GraphResult, NodeRun, Outcome
from targets.graph.state import initial_state

_SCRIPT = '''"""A LangGraph run that is not the same in every way. Needs: pip install langgraph=={version}"""

import asyncio
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy

# For each node: its edges, whether it waits for all of its sources, and the graph inside it.
GRAPH = {graph}

# For each node, visit by visit: what it writes, which edges it takes, its attempts, the rounds of its inner graph.
RECORD = {record}

INPUT = {inputs}
REDUCERS = {reducers}


def joined(kind):
    return {{
        "sum": lambda held, new: held + new,
        "max": lambda held, new: new if held is None else max(held, new),
        "min": lambda held, new: new if held is None else min(held, new),
        "append": lambda held, new: held + (new if isinstance(new, list) else [new]),
        "union": lambda held, new: sorted({{*held, *(new if isinstance(new, list) else [new])}}),
        "visits": lambda held, new: {{name: held.get(name, 0) + new.get(name, 0) for name in {{**held, **new}}}},
    }}[kind]


FIELDS = {{name: Any if kind == "last" else Annotated[Any, joined(kind)] for name, kind in REDUCERS.items()}}
State = TypedDict("State", {{**FIELDS, "visits": Annotated[dict, joined("visits")]}})


def visit_of(name, state, config):
    return config["configurable"].get("record", RECORD)[name][state["visits"].get(name, 0)]


def node(name, inner):
    def run(state, config, runtime):
        visit = visit_of(name, state, config)
        if runtime.execution_info.node_attempt < visit["attempts"]:
            raise ValueError("this attempt fails")
        for record in visit["rounds"]:
            inner.invoke({{**state, "visits": {{}}}}, {{"configurable": {{"record": record}}}})
        return Command(update=[*visit["writes"], ("visits", {{name: 1}})])

    return run


def route(name):
    def take(state, config):
        visits = {{**state["visits"], name: state["visits"].get(name, 1) - 1}}
        return visit_of(name, {{"visits": visits}}, config)["taken"]

    return take


def build(graph):
    built = StateGraph(State)
    for name, known in graph["nodes"].items():
        inner = build(known["inner"]).compile() if known["inner"] else None
        retry = RetryPolicy(initial_interval=0, jitter=False, max_attempts=known["retries"] + 1, retry_on=ValueError)
        built.add_node(name, node(name, inner), retry_policy=retry)
    for name in graph["entry"]:
        built.add_edge(START, name)
    for name, known in graph["nodes"].items():
        if known["waits"]:
            built.add_edge(known["waits"], name)
        targets = [other for other in known["edges"] if not graph["nodes"][other]["waits"]]
        if known["chooses"]:
            built.add_conditional_edges(name, route(name), targets)
        else:
            for other in targets:
                built.add_edge(name, other)
    return built


def stepwise(compiled):
    config = {{"configurable": {{"thread_id": "stepwise"}}, "recursion_limit": {limit}}}
    state = compiled.invoke(INPUT, config, interrupt_after="*")
    while compiled.get_state(config).next:
        state = compiled.invoke(None, config, interrupt_after="*")
    return state


limit = {{"recursion_limit": {limit}}}
graph = build(GRAPH)
ways = {{
    "invoke": lambda: graph.compile().invoke(INPUT, limit),
    "one node at a time": lambda: graph.compile().invoke(INPUT, {{**limit, "max_concurrency": 1}}),
    "ainvoke": lambda: asyncio.run(graph.compile().ainvoke(INPUT, limit)),
    "with checkpoints": lambda: graph.compile(checkpointer=InMemorySaver()).invoke(
        INPUT, {{**limit, "configurable": {{"thread_id": "whole"}}}}
    ),
    "paused after every step": lambda: stepwise(graph.compile(checkpointer=InMemorySaver())),
}}
for way, run in ways.items():
    try:
        print(way, "->", dict(sorted(run().items())))
    except Exception as error:
        print(way, "->", type(error).__name__, error)
'''


def standalone_script(case: GraphCase, result: GraphResult) -> str:
    """The script for a case and its recorded run; routing beyond the record ends with a KeyError or IndexError."""
    channels = channels_of(case.config)
    state = initial_state(case.config, case.inputs)
    return _SCRIPT.format(
        version=version("langgraph"),
        graph=_literal(_graph(case.config)),
        record=_literal(_record(case.config, result.nodes)),
        inputs=_literal({**state, "visits": {}}),
        reducers=_literal({name: str(channel.reducer) for name, channel in channels.items()}),
        limit=case.config.limits.max_steps + 1,
    )


def _graph(config: GraphConfig) -> dict[str, Any]:
    nodes = {}
    for node in config.nodes:
        leaving = [edge for edge in config.edges if edge.source == node.id]
        body = body_of(node)
        nodes[node.id] = {
            "edges": [edge.target for edge in leaving],
            "chooses": node.type in ("router", "gate") or any(edge.condition is not None for edge in leaving),
            "waits": [edge.source for edge in config.edges if edge.target == node.id] if node.join == "all" else [],
            "retries": node.retries,
            "inner": _graph(body) if body else None,
        }
    return {"nodes": nodes, "entry": list(config.entry)}


def _record(config: GraphConfig, runs: Sequence[NodeRun]) -> dict[str, list[dict[str, Any]]]:
    """What each node of this graph did, visit by visit."""
    depth = min((len(run.node) for run in runs), default=1)
    nodes = {node.id: node for node in config.nodes}
    record: dict[str, list[dict[str, Any]]] = {node.id: [] for node in config.nodes}
    inner: list[NodeRun] = []
    for run in runs:
        if len(run.node) > depth:
            inner.append(run)
            continue
        name = run.node[-1]
        waiting = {node.id for node in config.nodes if node.join == "all"}
        visit: dict[str, Any] = {
            "writes": _writes(config, run),
            "taken": [target for target in run.taken if target not in waiting],
            "attempts": run.attempts + (run.outcome is Outcome.FAILED),
            "rounds": [],
        }
        body = body_of(nodes[name])
        if body is not None:
            several = isinstance(nodes[name].config, LoopConfig | FanOutConfig)
            visit["rounds"] = [_record(body, part) for part in _rounds(inner, len(run.iterations), several)]
        record[name].append(visit)
        inner = []
    return record


def _writes(config: GraphConfig, run: NodeRun) -> list[tuple[str, Any]]:
    """Only the last write of a channel that keeps one value: LangGraph takes no more in a step."""
    last = {name: place for place, (name, _) in enumerate(run.writes)}
    kept: Mapping[str, Any] = config.state
    return [
        (name, value)
        for place, (name, value) in enumerate(run.writes)
        if (name in kept and kept[name].reducer is not Reducer.LAST) or last[name] == place
    ]


def _rounds(runs: Sequence[NodeRun], level: int, several: bool) -> list[list[NodeRun]]:
    found: dict[int, list[NodeRun]] = {}
    for run in runs:
        found.setdefault(run.iterations[level] if several else 0, []).append(run)
    return list(found.values())


def _literal(value: object) -> str:
    return pprint.pformat(value, width=110, sort_dicts=False)
