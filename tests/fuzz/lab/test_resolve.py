"""Derived requests are filled in from the executor's own output and stay in the documented domain."""

from __future__ import annotations

from typing import Any

from fuzz.lab.lab import Lab
from targets.contract import Request, SamplingParams
from targets.domain import DEFAULT_DOMAIN, breaches
from targets.reference import HASH
from targets.trace import Arrival, Follow, StopCut, Trace, is_literal


def test_a_following_request_continues_prompt_and_completion(make_lab: Any, make_request: Any, make_trace: Any) -> None:
    lab = make_lab()
    first = make_request("first")
    completion = lab.record(make_trace(first)).answers["first"].samples[0].tokens
    second = Arrival(request=make_request("second", (7,)), step=9, follow=Follow(request_id="first", completion=-1))

    literal = lab.begin(make_trace(first, second))

    assert is_literal(literal)
    assert literal.arrivals[1].request.prompt == (*first.prompt, *completion, 7)


def test_part_of_prompt_and_completion_can_be_kept(make_lab: Any, make_request: Any, make_trace: Any) -> None:
    lab = make_lab()
    first = make_request("first")
    completion = lab.record(make_trace(first)).answers["first"].samples[0].tokens
    second = Arrival(request=make_request("second", ()), follow=Follow(request_id="first", keep=1, completion=2))

    literal = lab.begin(make_trace(first, second))

    assert literal.arrivals[1].request.prompt == (first.prompt[0], *completion[:2])


def test_a_derived_prompt_is_cut_to_the_context(make_lab: Any, make_request: Any, make_trace: Any) -> None:
    lab = make_lab()
    first = make_request("first", tuple(range(1, 41)), max_tokens=20)
    second = Arrival(
        request=make_request("second", (5,) * 40, max_tokens=20, min_tokens=9), follow=Follow(request_id="first")
    )

    literal = lab.begin(make_trace(first, second))

    assert breaches(literal.arrivals[1].request, DEFAULT_DOMAIN, lab.limits) == ()
    assert len(literal.arrivals[1].request.prompt) == lab.limits.context_length - 1


def test_a_stop_string_is_cut_from_the_text_without_it(make_lab: Any, make_request: Any, make_trace: Any) -> None:
    lab = make_lab()
    request = make_request(max_tokens=8)
    text = lab.record(make_trace(request)).answers["r"].samples[0].text

    literal = lab.begin(make_trace(Arrival(request=request, stop_cut=StopCut(start=2 + len(text), length=3))))

    assert literal.arrivals[0].request.sampling.stop == (text[2:5],)


def stops_cut(cut: StopCut, token: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The stop strings, and the pieces of an answer in which this token comes again and again."""
    lab = Lab(HASH)
    sampling = SamplingParams(temperature=0.0, max_tokens=4, logit_bias={token: 100.0}, ignore_eos=True)
    request = Request(id="r", prompt=(1, 2, 3), sampling=sampling)
    pieces = lab.record(Trace(arrivals=(Arrival(request=request),))).answers["r"].samples[0].deltas
    literal = lab.begin(Trace(arrivals=(Arrival(request=request, stop_cut=cut),)))
    return literal.arrivals[0].request.sampling.stop, pieces


def test_two_stop_strings_are_cut_from_a_piece_that_comes_at_once_the_later_one_first() -> None:
    stops, pieces = stops_cut(StopCut(start=0, length=1, pair=True), token=262)

    piece = max(pieces, key=len)
    assert len(piece) > 1
    assert stops == (piece[-1], piece[-2])


def test_where_no_piece_has_two_characters_one_stop_string_is_cut() -> None:
    (stop,), pieces = stops_cut(StopCut(start=1, length=2, pair=True), token=97)

    assert max(map(len, pieces)) == 1
    assert stop == "".join(pieces)[1:3]


def test_a_literal_case_keeps_its_requests(make_lab: Any, make_request: Any, make_trace: Any) -> None:
    trace = make_trace(make_request())

    assert make_lab().begin(trace).arrivals == trace.arrivals


def test_knobs_are_completed_and_unknown_ones_left_out(make_lab: Any, make_request: Any, make_trace: Any) -> None:
    lab = make_lab()

    lab.begin(make_trace(make_request(), turbo=True))

    assert lab.case.knobs == {"chunk_size": 4}
