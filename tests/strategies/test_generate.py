from __future__ import annotations

import os
import subprocess
import sys
from random import Random

import pytest

from strategies.generate import generate_trace
from strategies.malformed import prove
from strategies.repair import is_valid, repair
from strategies.source import RandomSource
from strategies.space import Space, length_edges
from strategies.traces import setting_under
from targets.codec import decode, encode
from targets.trace import Trace

COUNT = 400


def generated(space: Space, *, malformed: bool = False) -> list[Trace]:
    random = Random(1)
    return [generate_trace(random, space, malformed=malformed) for _ in range(COUNT)]


def test_every_valid_trace_lies_in_the_documented_domain(any_space: Space) -> None:
    assert [trace for trace in generated(any_space) if not is_valid(trace, any_space)] == []


def test_a_valid_trace_needs_no_repair(any_space: Space) -> None:
    source = RandomSource(Random(0))
    assert all(repair(trace, any_space, source) is trace for trace in generated(any_space))


def test_every_trace_survives_its_json(any_space: Space) -> None:
    for trace in generated(any_space) + generated(any_space, malformed=True):
        assert decode(encode(trace), Trace) == trace


def test_every_malformed_trace_has_exactly_one_defect_which_is_proven(any_space: Space) -> None:
    for trace in generated(any_space, malformed=True):
        (bad,) = (arrival for arrival in trace.arrivals if arrival.defect is not None)
        assert bad.defect is not None
        assert prove(bad.request, bad.defect, any_space), bad.defect


def test_a_malformed_trace_is_valid_but_for_its_defect(any_space: Space) -> None:
    assert all(is_valid(trace, any_space) for trace in generated(any_space, malformed=True))


def test_nobody_follows_a_defective_request(any_space: Space) -> None:
    for trace in generated(any_space, malformed=True):
        bad = {arrival.request.id for arrival in trace.arrivals if arrival.defect}
        assert not any(arrival.follow and arrival.follow.request_id in bad for arrival in trace.arrivals)


def test_equal_states_of_the_generator_give_equal_traces(space: Space) -> None:
    assert generated(space) == generated(space)


def test_traces_do_not_depend_on_the_order_of_hashes() -> None:
    program = (
        "from random import Random; from strategies.generate import generate_trace; from strategies.space import Space;"
        "from targets.codec import encode; from targets.contract import Limits; random = Random(7);"
        "space = Space(limits=Limits(vocab_size=272, context_length=256, block_size=4));"
        "print([encode(generate_trace(random, space, malformed=bool(index % 2))) for index in range(50)])"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


def test_typical_traces_are_small(space: Space) -> None:
    work = sorted(
        sum(len(arrival.request.prompt) + arrival.request.sampling.max_tokens for arrival in trace.arrivals)
        for trace in generated(space)
    )
    assert work[COUNT // 2] <= 100
    assert work[COUNT * 9 // 10] <= 400


def test_prompts_reach_the_boundary_lengths_of_the_executor(space: Space) -> None:
    random = Random(3)
    lengths = {
        len(arrival.request.prompt)
        for _ in range(3000)
        for arrival in generate_trace(random, space).arrivals
        if arrival.follow is None
    }
    short = length_edges(space, setting_under(space, {}).geometry).short
    assert set(short) <= lengths
    assert 255 in lengths


@pytest.mark.parametrize("constant", [13, 77])
def test_integers_from_the_targets_source_become_lengths(space: Space, constant: int) -> None:
    edges = length_edges(space, setting_under(space, {}).geometry)
    assert {constant - 1, constant, constant + 1} <= {*edges.short, *edges.long}


def test_a_knob_moves_the_boundaries_that_it_sets(space: Space) -> None:
    edges = length_edges(space, setting_under(space, {"block_size": 16, "chunk_size": 7}).geometry)
    assert {15, 16, 17, 6, 7, 8, 33} <= set(edges.short)
