"""The stage of traces deals every combination of options that a target supports, once."""

from __future__ import annotations

from random import Random

from strategies.edge_values import SAMPLING
from strategies.repair import is_valid
from strategies.sampling import fill
from strategies.space import Space
from strategies.stage import TraceStage
from targets.trace import Trace


def dealt(space: Space, seed: int) -> list[Trace]:
    stage, random = TraceStage(space), Random(seed)
    return list(iter(lambda: stage.next(random), None))


def test_every_combination_that_the_target_supports_is_dealt_once(any_space: Space) -> None:
    supported = [filled for one in SAMPLING.combination if (filled := fill(one, any_space))]
    traces = dealt(any_space, 1)
    assert len(traces) == len(supported)
    for name in ("stop_token_ids", "logit_bias"):
        wanted = sorted(str(filled[name]) for filled in supported if filled.get(name))
        shown = [getattr(trace.arrivals[0].request.sampling, name) for trace in traces]
        assert sorted(str(value) for value in shown if value) == wanted


def test_every_dealt_trace_lies_in_the_documented_domain(any_space: Space) -> None:
    assert [trace for trace in dealt(any_space, 2) if not is_valid(trace, any_space)] == []


def test_the_order_of_the_stage_depends_on_chance_alone(any_space: Space) -> None:
    assert dealt(any_space, 1) == dealt(any_space, 1)
