"""What lies beside a case keeps its options, its times and which of its tokens are equal."""

from __future__ import annotations

from itertools import islice

import pytest

from strategies.neighbours import neighbours
from strategies.repair import is_valid
from strategies.space import Space
from targets.contract import Request, SamplingParams
from targets.domain import NEUTRAL
from targets.trace import Arrival, Trace

CHOICE = {"temperature", "seed", "max_tokens", "n"}


def used(sampling: SamplingParams) -> set[str]:
    names = {name for name in sampling.__struct_fields__ if getattr(sampling, name) != getattr(NEUTRAL, name)}
    return names - CHOICE


@pytest.fixture
def trace() -> Trace:
    penalised = SamplingParams(temperature=0.0, frequency_penalty=1.0, logit_bias={7: 5.0}, max_tokens=4)
    constrained = SamplingParams(temperature=1.0, seed=3, json_schema={"type": "null"}, max_tokens=4)
    arrivals = (
        Arrival(request=Request(id="a", prompt=(5, 7, 5), sampling=penalised)),
        Arrival(request=Request(id="b", prompt=(5, 7, 9), sampling=constrained), step=3, abort=9),
    )
    return Trace(arrivals=arrivals, knobs={"block_size": 2})


def test_neighbours_are_valid_and_keep_options_times_and_knobs(space: Space, trace: Trace) -> None:
    for found in islice(neighbours(trace, space), 100):
        assert is_valid(found, space) and found != trace
        assert found.knobs == trace.knobs
        for before, after in zip(trace.arrivals, found.arrivals, strict=True):
            assert (after.step, after.abort) == (before.step, before.abort)
            assert used(after.request.sampling) == used(before.request.sampling)


def test_equal_tokens_stay_equal_and_others_apart(space: Space, trace: Trace) -> None:
    for found in islice(neighbours(trace, space), 100):
        (first, second, third), (fourth, fifth, sixth) = (one.request.prompt for one in found.arrivals)
        assert first == third == fourth and second == fifth
        assert len({first, second, sixth}) == 3
        assert second in found.arrivals[0].request.sampling.logit_bias


def test_a_greedy_request_is_drawn_in_some_of_them_and_a_schema_says_other_things(space: Space, trace: Trace) -> None:
    found = list(islice(neighbours(trace, space), 100))
    assert {one.arrivals[0].request.sampling.temperature for one in found} == {0.0, 0.05, 1.0}
    assert len({str(one.arrivals[1].request.sampling.json_schema) for one in found}) > 10


def test_they_are_always_the_same(space: Space, trace: Trace) -> None:
    assert list(islice(neighbours(trace, space), 20)) == list(islice(neighbours(trace, space), 20))
