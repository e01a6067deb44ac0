"""The stage of traces: combinations of options, full pools, stops that come at once, every bad value that there is."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random

from strategies.edge_values import SAMPLING
from strategies.malformed import DEFECTS
from strategies.sampling import fill
from strategies.shrink import holds
from strategies.space import Space, geometry_of
from strategies.stage import BATCHES, CUTS, FILLINGS, TraceStage, parts_of
from targets.trace import Defect, Trace


def dealt(space: Space, seed: int) -> list[Trace]:
    stage, random = TraceStage(space), Random(seed)
    return list(iter(lambda: stage.next(random), None))


def defects(trace: Trace) -> list[Defect]:
    return [arrival.defect for arrival in trace.arrivals if arrival.defect is not None]


def test_every_combination_that_the_target_supports_is_dealt_once(any_space: Space) -> None:
    supported = [filled for one in SAMPLING.combination if (filled := fill(one, any_space))]
    single = [trace for trace in dealt(any_space, 1) if len(trace.arrivals) == 1]
    traces = [trace for trace in single if trace.arrivals[0].stop_cut is None]
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
    valid = [trace for trace in dealt(space, 1) if not defects(trace)]
    together = [trace for trace in valid if len(trace.arrivals) > 1 and not trace.knobs]
    batches = [[arrival.request.adapter for arrival in trace.arrivals] for trace in together]
    assert sorted(map(len, batches)) == sorted(BATCHES)
    assert all(first != second for adapters in batches for first, second in pairwise(adapters))


def test_requests_are_dealt_that_stop_at_two_strings_that_come_at_once(space: Space) -> None:
    cuts = [arrival.stop_cut for trace in dealt(space, 1) for arrival in trace.arrivals if arrival.stop_cut]
    assert len(cuts) == CUTS
    assert all(cut.pair for cut in cuts)


def test_every_bad_value_of_the_dictionary_is_dealt_once_beside_a_valid_request(space: Space) -> None:
    malformed = [trace for trace in dealt(space, 1) if defects(trace)]
    names = Counter(defect.name for trace in malformed for defect in defects(trace))
    assert names == {kind.name: len(kind.values) for kind in DEFECTS}
    assert all(len(defects(trace)) == len(trace.arrivals) - 1 for trace in malformed)
    assert len(malformed) == -(-names.total() // (space.max_requests - 1))


def test_every_dealt_trace_lies_in_the_documented_domain_but_for_proven_defects(any_space: Space) -> None:
    assert [trace for trace in dealt(any_space, 2) if not holds(trace, any_space)] == []


def test_the_parts_of_a_malformed_trace_have_one_defect_each_and_the_same_company(space: Space) -> None:
    shared = next(trace for trace in dealt(space, 1) if len(defects(trace)) > 2)
    parts = list(parts_of(shared))
    assert [defects(part) for part in parts] == [[defect] for defect in defects(shared)]
    assert all(part.arrivals[0] == shared.arrivals[0] and len(part.arrivals) == 2 for part in parts)


def test_a_trace_of_one_defect_or_none_has_no_parts(space: Space) -> None:
    for trace in dealt(space, 1):
        if len(defects(trace)) < 2:
            assert list(parts_of(trace)) == []


def test_the_order_of_the_stage_depends_on_chance_alone(any_space: Space) -> None:
    assert dealt(any_space, 1) == dealt(any_space, 1)
