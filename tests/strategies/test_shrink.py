from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from random import Random

import pytest

from strategies.follows import reaches
from strategies.generate import generate_trace
from strategies.shrink import holds, simplify, size
from strategies.shrinking.requests import fewer_entries
from strategies.space import Space
from targets.codec import decode, encode
from targets.contract import Request, SamplingParams
from targets.trace import Arrival, Defect, Follow, StopCut, Trace


def shrunk(trace: Trace, fails: Callable[[Trace], bool], space: Space) -> Trace:
    """As a shrinker would use it: take the first simpler trace that still fails, until none does."""
    while True:
        simpler = next((candidate for candidate in simplify(trace, space) if fails(candidate)), None)
        if simpler is None:
            return trace
        trace = simpler


def failing(space: Space, fails: Callable[[Trace], bool], *, malformed: bool = False, count: int = 5) -> list[Trace]:
    random = Random(11)
    found: list[Trace] = []
    while len(found) < count:
        trace = generate_trace(random, space, malformed=malformed)
        if fails(trace):
            found.append(trace)
    return found


def repeats_whole_blocks(trace: Trace) -> bool:
    """A full prefix hit: the same prompt twice, as long as a multiple of the block."""
    prompts = [arrival.request.prompt for arrival in trace.arrivals]
    return any(len(prompt) >= 8 and len(prompt) % 4 == 0 and prompts.count(prompt) > 1 for prompt in prompts)


def mixes_penalties(trace: Trace) -> bool:
    """Neighbours in the same step, one with a penalty and one without."""
    seen = {(arrival.step, arrival.request.sampling.presence_penalty != 0) for arrival in trace.arrivals}
    return any((step, not penalty) in seen for step, penalty in seen)


def aborts_while_running(trace: Trace) -> bool:
    """An abort after arrival, under a block size that is not the default."""
    late = any(arrival.abort is not None and arrival.abort > arrival.step for arrival in trace.arrivals)
    return late and "block_size" in trace.knobs


def test_a_repeated_prompt_shrinks_to_two_requests_of_two_blocks_of_zeros(space: Space) -> None:
    for trace in failing(space, repeats_whole_blocks):
        small = shrunk(trace, repeats_whole_blocks, space)
        assert [arrival.request.prompt for arrival in small.arrivals] == [(0,) * 8] * 2
        assert all(arrival.step == 0 and arrival.request.sampling.max_tokens == 1 for arrival in small.arrivals)
        assert not small.knobs


def test_neighbours_shrink_to_two_requests_that_differ_in_one_option(space: Space) -> None:
    for trace in failing(space, mixes_penalties):
        small = shrunk(trace, mixes_penalties, space)
        assert len(small.arrivals) == 2
        assert sum(arrival.request.sampling.presence_penalty != 0 for arrival in small.arrivals) == 1
        assert all(arrival.request.prompt == (0,) for arrival in small.arrivals)


def test_an_abort_shrinks_to_one_request_that_keeps_its_knob(space: Space) -> None:
    for trace in failing(space, aborts_while_running):
        small = shrunk(trace, aborts_while_running, space)
        (arrival,) = small.arrivals
        assert (arrival.step, arrival.abort) == (0, 1)
        assert list(small.knobs) == ["block_size"]


def test_a_malformed_trace_shrinks_to_its_defect(space: Space) -> None:
    def has_defect(trace: Trace) -> bool:
        return any(arrival.defect for arrival in trace.arrivals)

    for trace in failing(space, has_defect, malformed=True):
        small = shrunk(trace, has_defect, space)
        (arrival,) = small.arrivals
        assert arrival.request.prompt == (0,)
        assert holds(small, space)


@pytest.mark.parametrize("malformed", [False, True])
def test_every_candidate_is_smaller_and_lies_in_the_space(any_space: Space, malformed: bool) -> None:
    random = Random(12)
    for _ in range(4):
        trace = generate_trace(random, any_space, malformed=malformed)
        # A trace with a prompt of thousands of tokens has tens of thousands of candidates.
        for candidate in islice(simplify(trace, any_space), 500):
            assert size(candidate) < size(trace)
            assert holds(candidate, any_space)


def test_candidates_are_decodable_and_distinct(space: Space) -> None:
    random = Random(13)
    for _ in range(6):
        encoded = [encode(candidate) for candidate in simplify(generate_trace(random, space))]
        assert len(set(encoded)) == len(encoded)
        for data in encoded:
            decode(data, Trace)


def test_bold_candidates_come_first(space: Space) -> None:
    trace = next(
        trace for trace in (generate_trace(Random(seed), space) for seed in range(99)) if len(trace.arrivals) > 3
    )
    assert len(next(simplify(trace)).arrivals) <= len(trace.arrivals) // 2 + 1


def test_a_long_collection_is_cut_in_large_pieces_and_a_short_one_entry_by_entry() -> None:
    assert len(list(fewer_entries(tuple(range(280))))) < 40
    assert [*fewer_entries((1, 2, 3))] == [(1,), (2,), (3,), (2, 3), (1, 3), (1, 2)]


def test_the_simplest_trace_has_nothing_simpler(space: Space) -> None:
    request = Request(id="r0", prompt=(0,), sampling=SamplingParams(temperature=0.0, max_tokens=1))
    assert list(simplify(Trace(arrivals=(Arrival(request=request),)), space)) == []


def test_what_needs_many_tokens_at_once_shrinks_to_two_long_requests(space: Space) -> None:
    def fills(trace: Trace) -> bool:
        needed = sum(len(one.request.prompt) + one.request.sampling.max_tokens for one in trace.arrivals)
        return len(trace.arrivals) > 1 and needed >= 240

    sampling = SamplingParams(temperature=0.0, max_tokens=10)
    arrivals = (Arrival(request=Request(id=f"r{n}", prompt=(n,) * 40, sampling=sampling)) for n in range(5))

    assert len(shrunk(Trace(arrivals=tuple(arrivals)), fills, space).arrivals) == 2


def test_an_empty_trace_has_nothing_simpler() -> None:
    assert list(simplify(Trace(arrivals=()))) == []


def test_dropping_a_followed_request_keeps_its_prompt_in_the_follower() -> None:
    first = Arrival(request=Request(id="r0", prompt=(1, 2, 3)))
    second = Arrival(request=Request(id="r1", prompt=(9,)), follow=Follow(request_id="r0", completion=-1))
    singles = [trace.arrivals[0] for trace in simplify(Trace(arrivals=(first, second))) if len(trace.arrivals) == 1]
    assert (1, 2, 3, 9) in [arrival.request.prompt for arrival in singles]


def test_a_prompt_made_long_by_what_it_follows_shrinks_to_one_request(space: Space) -> None:
    first = Arrival(request=Request(id="r0", prompt=(1,), sampling=SamplingParams(max_tokens=3, temperature=0.0)))
    follow = Follow(request_id="r0", completion=-1)
    second = Arrival(
        request=Request(id="r1", prompt=(1,), sampling=SamplingParams(max_tokens=1, temperature=0.0)), follow=follow
    )
    small = shrunk(
        Trace(arrivals=(first, second)),
        lambda trace: max(reach.length for reach in reaches(trace.arrivals).values()) > 4,
        space,
    )
    assert [arrival.request.prompt for arrival in small.arrivals] == [(0,) * 5]


def test_a_circle_of_follows_is_taken_apart() -> None:
    circle = Trace(
        arrivals=tuple(
            Arrival(request=Request(id=f"r{index}", prompt=(index,)), follow=Follow(request_id=f"r{1 - index}"))
            for index in range(2)
        )
    )
    assert any(not any(arrival.follow for arrival in trace.arrivals) for trace in simplify(circle))


@pytest.mark.parametrize(
    "larger",
    [
        Arrival(request=Request(id="r0", prompt=(0,)), step=1),
        Arrival(request=Request(id="r0", prompt=(0,)), abort=0),
        Arrival(request=Request(id="r0", prompt=(1,))),
        Arrival(request=Request(id="r0", prompt=(0, 0))),
        Arrival(request=Request(id="other", prompt=(0,))),
        Arrival(request=Request(id="r0", prompt=(0,), cache_salt="a")),
        Arrival(request=Request(id="r0", prompt=(0,), sampling=SamplingParams(seed=1))),
        Arrival(request=Request(id="r0", prompt=(0,)), stop_cut=StopCut(start=0, length=1)),
        Arrival(
            request=Request(id="r0", prompt=(0,)), defect=Defect(name="token-negative", field="prompt[4]", value="-1")
        ),
    ],
)
def test_size_counts_whatever_a_reader_must_look_at(larger: Arrival) -> None:
    plain = Trace(arrivals=(Arrival(request=Request(id="r0", prompt=(0,))),))
    assert size(plain) < size(Trace(arrivals=(larger,)))
