from typing import Any

import staircase

from targets.graph import config as graph
from targets.graph.domain import GraphDomain
from targets.graph.expression import ExpressionError, parse
from targets.graph.result import FailureKind, GraphResult, failed, finished
from targets.graph.script import GraphInputs, Script, scripted_answer
from targets.graph.state import initial_state, reducers
from targets.graph.target import graph_target
from targets.graph.validate import check_run, decode_config

KINDS = {"entry": "start", "tool": "ask", "transform": "set", "exit": "end"}
DOMAIN = GraphDomain(node_types=(*KINDS,), joins=False, max_retries=0, deadlines=False, reports_nodes=False)
FAILURES = {staircase.TooManyFrontsError: FailureKind.STEP_LIMIT, ExpressionError: FailureKind.EXPRESSION}


class Staircase:
    domain = DOMAIN

    def validate(self, document: object) -> None:
        decode_config(document, DOMAIN)

    def run(self, config: graph.GraphConfig, inputs: GraphInputs, script: Script) -> GraphResult:
        check_run(config, inputs, DOMAIN)
        state, limit = initial_state(config, inputs), config.limits.max_steps
        try:
            state, fronts = staircase.execute(workflow(config), state, scripted_answer(script), limit)
        except (*FAILURES,) as error:
            return failed(FAILURES[type(error)], str(error), inputs)
        return finished(state, fronts, inputs)

    def close(self) -> None: ...


def workflow(config: graph.GraphConfig) -> staircase.Workflow:
    steps = [staircase.Step(node.id, KINDS[node.type], options(node.config)) for node in config.nodes]
    links = [staircase.Link(e.source, e.target, e.weight, parse(e.condition or "true").holds) for e in config.edges]
    return staircase.Workflow(steps, links, [*config.entry], [*config.exits], reducers(config))


def options(config: graph.NodeConfig) -> dict[str, Any]:
    if isinstance(config, graph.TransformConfig):
        return {"values": {name: parse(text) for name, text in config.assign.items()}}
    return {"into": config.writes} if isinstance(config, graph.ToolConfig) else {}


TARGET = graph_target("staircase", "workflows in fronts", DOMAIN, Staircase)
