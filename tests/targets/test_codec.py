from __future__ import annotations

import pytest

from targets.codec import DecodeError, content_hash, decode, encode, encode_pretty
from targets.contract import Limits, Output, Request, SamplingParams
from targets.trace import Arrival, Trace

REQUEST = Request(
    id="a",
    prompt=(1, 2, 3),
    sampling=SamplingParams(temperature=0.0, logit_bias={7: -1.5}, stop=("x", "é")),
)
TRACE = Trace(arrivals=(Arrival(request=REQUEST, step=2, abort=5),), knobs={"block_size": 4, "prefix_cache": False})


@pytest.mark.parametrize("value", [REQUEST, TRACE, Output(request_id="a", text="\ufffd")])
def test_a_value_survives_the_round_trip(value: Request | Trace | Output) -> None:
    assert decode(encode(value), type(value)) == value
    assert decode(encode_pretty(value), type(value)) == value


def test_equal_values_have_equal_bytes_whatever_the_order_of_their_dicts() -> None:
    first = SamplingParams(logit_bias={1: 1.0, 2: 2.0})
    second = SamplingParams(logit_bias={2: 2.0, 1: 1.0})
    assert encode(first) == encode(second)
    assert content_hash(first) == content_hash(second)


def test_a_wrong_value_is_named_with_its_path_and_what_is_expected() -> None:
    with pytest.raises(DecodeError) as caught:
        decode('{"type":"trace","arrivals":[{"request":{"id":"a","prompt":[1,"x"]}}]}', Trace)
    assert caught.value.where == "arrivals[0].request.prompt[1]"
    assert str(caught.value) == "field 'arrivals[0].request.prompt[1]' = 'x': expected `int`, got `str`"


def test_an_unknown_field_gets_the_nearest_match() -> None:
    with pytest.raises(DecodeError, match=r"unknown field `promt`.*Did you mean 'prompt'"):
        decode('{"id":"a","promt":[1]}', Request)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(DecodeError, match="missing required field `context_length`"):
        decode('{"vocab_size":3}', Limits)


def test_text_that_is_no_json_is_refused_as_such() -> None:
    with pytest.raises(DecodeError, match="not valid JSON"):
        decode("{", Request)


def test_a_long_wrong_value_is_cut_in_the_message() -> None:
    with pytest.raises(DecodeError) as caught:
        decode('{"id":"a","prompt":"' + "x" * 5000 + '"}', Request)
    assert len(str(caught.value)) < 250


def test_two_requests_of_one_id_are_refused() -> None:
    with pytest.raises(DecodeError, match="'a' occurs twice"):
        decode('{"type":"trace","arrivals":[' + ",".join(['{"request":{"id":"a","prompt":[1]}}'] * 2) + "]}", Trace)


def test_a_step_below_zero_is_refused() -> None:
    with pytest.raises(DecodeError, match=r"step -1 of 'a' must lie in 0\.\.100000"):
        decode('{"type":"trace","arrivals":[{"step":-1,"request":{"id":"a","prompt":[1]}}]}', Trace)
