from __future__ import annotations

from random import Random

import msgspec
import pytest

from strategies.generate import generate_trace
from strategies.repair import adapt, is_valid, repair
from strategies.source import RandomSource
from strategies.space import Space
from targets.contract import Request, SamplingParams
from targets.trace import Arrival, Defect, Follow, StopCut, Trace


def repaired(space: Space, *arrivals: Arrival, **knobs: int) -> Trace:
    return repair(Trace(arrivals=arrivals, knobs=dict(knobs)), space, RandomSource(Random(0)))


def request(prompt: tuple[int, ...], **sampling: object) -> Request:
    return Request(id="r0", prompt=prompt, sampling=msgspec.convert(sampling, SamplingParams))


@pytest.mark.parametrize(
    "bad",
    [
        request((1, 99999)),
        request((-5,)),
        request(()),
        request((1,) * 300),
        request((1,), max_tokens=5000),
        request((1,), max_tokens=2, min_tokens=9),
        request((1,), temperature=0.0, n=3),
        request((1,), n=99),
        request((1,), temperature=-1.0),
        request((1,), top_k=-1),
        request((1,), logprobs=999),
        request((1,), stop=["", "a"]),
        request((1,), stop=["a"] * 40),
        request((1,), stop_token_ids=[5, 9999]),
        request((1,), logit_bias={5: 1.0, 9999: 1.0, 6: 1e9}),
        Request(id="r0", prompt=(1,), adapter="unknown"),
    ],
)
def test_a_request_outside_the_domain_is_fitted(space: Space, bad: Request) -> None:
    before = Trace(arrivals=(Arrival(request=bad),))
    assert not is_valid(before, space)
    assert is_valid(repair(before, space, RandomSource(Random(0))), space)


def test_traces_of_one_target_can_be_fitted_to_any_other(space: Space, any_space: Space) -> None:
    random = Random(1)
    for _ in range(100):
        assert is_valid(adapt(generate_trace(random, space), any_space), any_space)


def test_a_knob_that_the_target_does_not_offer_is_dropped(space: Space) -> None:
    trace = repaired(space, Arrival(request=request((1,))), block_size=8, speed=3, chunk_size=999)
    assert trace.knobs == {"block_size": 8}


def test_a_request_is_cut_to_a_small_pool(space: Space) -> None:
    trace = repaired(space, Arrival(request=request((1,) * 250, max_tokens=6)), total_blocks=64, block_size=1)
    assert len(trace.arrivals[0].request.prompt) == 63


def test_a_follow_of_a_later_request_is_dropped(space: Space) -> None:
    follower = Arrival(request=request((5,)), follow=Follow(request_id="r1", completion=-1))
    later = Arrival(request=Request(id="r1", prompt=(1,)))
    assert repaired(space, follower, later).arrivals[0].follow is None


def test_a_completion_that_is_not_reproducible_is_not_followed(space: Space) -> None:
    first = Arrival(request=request((1, 2)))
    follower = Arrival(request=Request(id="r1", prompt=(3,)), follow=Follow(request_id="r0", completion=-1))
    assert repaired(space, first, follower).arrivals[1].follow == Follow(request_id="r0", completion=0)


def test_a_stop_is_not_cut_from_output_that_is_not_reproducible(space: Space) -> None:
    arrival = Arrival(request=request((1,)), stop_cut=StopCut(start=0, length=1))
    assert repaired(space, arrival).arrivals[0].stop_cut is None


def test_of_two_defects_the_first_is_kept(space: Space) -> None:
    first, second = (
        Arrival(
            request=Request(id=name, prompt=(1,)),
            defect=Defect(name="temperature-not-finite", field="sampling.temperature", value="nan"),
        )
        for name in ("r0", "r1")
    )
    kept = repaired(space, first, second)
    assert [arrival.defect is not None for arrival in kept.arrivals] == [True, False]


def test_a_defect_that_this_target_documents_as_valid_is_replaced(space: Space) -> None:
    harmless = Defect(name="temperature-out-of-range", field="sampling.temperature", value="1.5")
    trace = repaired(space, Arrival(request=request((1,)), defect=harmless))
    assert trace.arrivals[0].defect is not None
    assert trace.arrivals[0].defect != harmless
