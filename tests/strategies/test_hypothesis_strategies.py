"""The strategies as anyone would use them: under `given`, with default health checks."""

from __future__ import annotations

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from strategies.knobs import knob_settings
from strategies.malformed import prove
from strategies.repair import is_valid
from strategies.requests import requests
from strategies.sampling import sampling_params
from strategies.space import Space
from strategies.tokens import token_sequences
from strategies.traces import malformed_traces, traces
from targets.contract import Limits, Request, SamplingParams
from targets.domain import breaches
from targets.trace import Arrival, Trace

FEW = settings(max_examples=25, deadline=None, database=None, derandomize=True)
SEARCH = settings(
    max_examples=3000, deadline=None, database=None, derandomize=True, phases=(Phase.generate, Phase.shrink)
)


@FEW
@given(data=st.data())
def test_token_sequences_are_valid_prompts(any_space: Space, data: st.DataObject) -> None:
    tokens = data.draw(token_sequences(any_space))
    assert 0 < len(tokens) < any_space.limits.context_length
    assert all(0 <= token < any_space.limits.vocab_size for token in tokens)


@pytest.mark.parametrize("length", [4096, 16_384])
@FEW
@given(data=st.data())
def test_long_token_sequences_are_ordinary(any_space: Space, length: int, data: st.DataObject) -> None:
    assert len(data.draw(token_sequences(any_space, length))) == length


@FEW
@given(data=st.data())
def test_traces_with_prompts_of_thousands_of_tokens_pass_the_health_checks(data: st.DataObject) -> None:
    limits = Limits(vocab_size=50_000, context_length=16_384, block_size=16, chunk_size=512)
    long = Space(limits=limits, long_share=1.0)
    trace = data.draw(traces(long))
    assert is_valid(trace, long)


@FEW
@given(data=st.data())
def test_sampling_params_lie_in_the_domain(any_space: Space, data: st.DataObject) -> None:
    sampling = data.draw(sampling_params(any_space))
    assert breaches(Request(id="r", prompt=(0,), sampling=sampling), any_space.domain, any_space.limits) == ()


@FEW
@given(data=st.data())
def test_requests_lie_in_the_domain(any_space: Space, data: st.DataObject) -> None:
    request = data.draw(requests(any_space))
    assert is_valid(Trace(arrivals=(Arrival(request=request),)), any_space)


@FEW
@given(data=st.data())
def test_knob_settings_are_offered_by_the_target(space: Space, data: st.DataObject) -> None:
    for name, value in data.draw(knob_settings(space)).items():
        assert value in space.knobs_by_name[name].values


@FEW
@given(data=st.data())
def test_traces_are_valid(any_space: Space, data: st.DataObject) -> None:
    assert is_valid(data.draw(traces(any_space)), any_space)


@FEW
@given(data=st.data())
def test_malformed_traces_have_one_proven_defect(any_space: Space, data: st.DataObject) -> None:
    trace = data.draw(malformed_traces(any_space))
    (bad,) = (arrival for arrival in trace.arrivals if arrival.defect)
    assert bad.defect is not None
    assert prove(bad.request, bad.defect, any_space)


def test_the_simplest_trace_under_hypothesis_is_one_or_two_plain_requests(space: Space) -> None:
    trace = find(traces(space), lambda _: True, settings=SEARCH)
    assert not trace.knobs
    assert len(trace.arrivals) <= 2
    assert all(arrival.abort is None and arrival.follow is None for arrival in trace.arrivals)


def test_hypothesis_shrinks_a_repeated_prompt(space: Space) -> None:
    def repeats(trace: Trace) -> bool:
        prompts = [arrival.request.prompt for arrival in trace.arrivals]
        return any(len(prompt) > 3 and prompts.count(prompt) > 1 for prompt in prompts)

    trace = find(traces(space), repeats, settings=SEARCH)
    assert len(trace.arrivals) == 2
    assert {len(arrival.request.prompt) for arrival in trace.arrivals} == {4}


def test_hypothesis_finds_neighbours_that_differ_in_one_option(space: Space) -> None:
    def differing(first: SamplingParams, second: SamplingParams) -> int:
        return sum(getattr(first, name) != getattr(second, name) for name in first.__struct_fields__)

    def neighbours(trace: Trace) -> bool:
        first, *others = (arrival.request for arrival in trace.arrivals)
        return any(other.prompt == first.prompt and differing(other.sampling, first.sampling) == 1 for other in others)

    assert neighbours(find(traces(space), neighbours, settings=SEARCH))
