"""The stage of traces deals every combination of options that a target supports, and traces that fill its pool."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from strategies.edge_values import SAMPLING
from strategies.repair import is_valid
from strategies.sampling import fill
from strategies.space import Space, geometry_of
from strategies.stage import BATCHES, FILLINGS, TraceStage
from targets.trace import Trace


def dealt(space: Space, seed: int) -> list[Trace]:
    stage, random = TraceStage(space), Random(seed)
    return list(iter(lambda: stage.next(random), None))


def test_every_combination_that_the_target_supports_is_dealt_once(any_space: Space) -> None:
    supported = [filled for one in SAMPLING.combination if (filled := fill(one, any_space))]
    traces = [trace for trace in dealt(any_space, 1) if len(trace.arrivals) == 1]
    assert len(traces) == len(supported)
    for name in ("stop_token_ids", "logit_bias"):
        wanted = sorted(str(filled[name]) for filled in supported if filled.get(name))
        shown = [getattr(trace.arrivals[0].request.sampling, name) for trace in traces]
        assert sorted(str(value) for value in shown if value) == wanted


def test_traces_that_fill_the_pool_are_dealt_and_in_one_each_request_needs_all_of_it(space: Space) -> None:
    filling = [trace for trace in dealt(space, 1) if trace.knobs]
    assert len(filling) == len(FILLINGS)
    blocks = [geometry_of(space, trace.knobs).block for trace in filling]
    pools = [geometry_of(space, trace.knobs).pool or 0 for trace in filling]
    needed = [[len(arrival.request.prompt) for arrival in trace.arrivals] for trace in filling]
    assert all(sum(lengths) > pool // 2 for lengths, pool in zip(needed, pools, strict=True))
    assert any(
        all(length > pool - block for length in lengths)
        for lengths, pool, block in zip(needed, pools, blocks, strict=True)
    )


def test_batches_are_dealt_in_which_neighbours_have_different_adapters(space: Space) -> None:
    together = [trace for trace in dealt(space, 1) if len(trace.arrivals) > 1 and not trace.knobs]
    batches = [[arrival.request.adapter for arrival in trace.arrivals] for trace in together]
    assert sorted(map(len, batches)) == sorted(BATCHES)
    assert all(first != second for adapters in batches for first, second in pairwise(adapters))


def test_every_dealt_trace_lies_in_the_documented_domain(any_space: Space) -> None:
    assert [trace for trace in dealt(any_space, 2) if not is_valid(trace, any_space)] == []


def test_the_order_of_the_stage_depends_on_chance_alone(any_space: Space) -> None:
    assert dealt(any_space, 1) == dealt(any_space, 1)
