"""How a graph runner becomes a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from targets.contract import Knob, KnobValue, Limits, Target, TargetKind
from targets.graph.contract import RunsGraphs
from targets.graph.domain import GraphDomain


def graph_target(
    name: str,
    summary: str,
    domain: GraphDomain,
    open_runner: Callable[..., RunsGraphs],
    *,
    knobs: tuple[Knob, ...] = (),
    modules: tuple[str, ...] = (),
    requires: Mapping[str, str] | None = None,
) -> Target:
    """The target whose runners `open_runner(**knobs)` gives; it is called with every knob."""

    def opened(_: None, **settings: KnobValue) -> RunsGraphs:
        return open_runner(**{knob.name: settings.get(knob.name, knob.default) for knob in knobs})

    return Target(
        name=name,
        summary=summary,
        kind=TargetKind.GRAPH,
        load=lambda _device, _dtype: None,
        open=opened,
        # A graph runner has no tokens and no context of its own.
        limits=Limits(vocab_size=0, context_length=0),
        graphs=domain,
        knobs=knobs,
        modules=modules,
        requires=requires or {},
    )
