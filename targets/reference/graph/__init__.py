"""The reference graph runner: small, on asyncio, with timeouts, retries, cancellation and checkpoints."""

from __future__ import annotations

from targets.contract import Knob, KnobValue, Limits, Target, TargetKind
from targets.graph.domain import DEFAULT_GRAPH_DOMAIN
from targets.reference.graph.runner import GraphRunner

__all__ = ["TARGET", "GraphRunner"]


def _open(_: None, **knobs: KnobValue) -> GraphRunner:
    settings = {knob.name: knobs.get(knob.name, knob.default) for knob in KNOBS}
    return GraphRunner(max_parallel=int(settings["max_parallel"]), order=str(settings["order"]))


KNOBS = (
    Knob("max_parallel", 64, (64, 1, 2), "nodes of one step that run at the same time"),
    Knob("order", "declared", ("declared", "reversed"), "in which the nodes of one step are started"),
)

TARGET = Target(
    name="graph",
    summary="reference workflow-graph runner",
    kind=TargetKind.GRAPH,
    load=lambda _device, _dtype: None,
    open=_open,
    limits=Limits(vocab_size=0, context_length=0),
    graphs=DEFAULT_GRAPH_DOMAIN,
    knobs=KNOBS,
    modules=("targets.reference.graph",),
)
