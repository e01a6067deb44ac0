from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from targets.codec import DecodeError, decode, encode
from targets.http.case import Exchange, Framing, HttpCase, HttpDefect, Intent, Message, Piece
from targets.http.wire import body_value, bytes_of, json_body, json_message, pieces_of, serialise


@given(st.binary(max_size=200))
def test_any_bytes_have_pieces(data: bytes) -> None:
    assert bytes_of(pieces_of(data)) == data


def test_a_repeated_piece_stays_small_in_the_case() -> None:
    case = HttpCase(
        dialect="openai", exchanges=(Exchange(message=Message(body=(Piece(text="ab", hex="ff", repeat=100_000),))),)
    )
    assert len(encode(case)) < 250
    assert bytes_of(case.exchanges[0].message.body) == b"ab\xff" * 100_000


def test_a_case_survives_its_json() -> None:
    defect = HttpDefect(name="json-truncated", place="body")
    message = json_message("/v1/completions", {"prompt": "\u00e9", "n": 2}, (("x-a", "b"),))
    case = HttpCase(
        dialect="openai",
        exchanges=(Exchange(message=message, intent=Intent.MALFORMED, defect=defect),),
        concurrent=True,
    )
    assert decode(encode(case), HttpCase) == case


def test_a_malformed_exchange_without_a_defect_is_refused() -> None:
    with pytest.raises(ValueError, match="has a defect if, and only if"):
        Exchange(message=Message(), intent=Intent.MALFORMED)


def test_a_huge_repeat_is_refused_on_decode() -> None:
    with pytest.raises(DecodeError, match="lower its repeat"):
        decode('{"text":"x","repeat":1000000000}', Piece)


def test_a_body_has_its_length() -> None:
    message = Message(path="/p", body=(Piece(text="{}"),))
    assert serialise(message, "h:1") == b"POST /p HTTP/1.1\r\nhost: h:1\r\ncontent-length: 2\r\n\r\n{}"


def test_a_chunked_body_ends_with_the_last_chunk() -> None:
    message = Message(path="/p", body=(Piece(text="abc"),), framing=Framing.CHUNKED, chunk=2)
    assert serialise(message, "h").endswith(b"chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")


def test_an_unended_body_lacks_the_last_chunk() -> None:
    message = Message(path="/p", body=(Piece(text="abc"),), framing=Framing.UNENDED, chunk=9)
    assert serialise(message, "h").endswith(b"\r\n\r\n3\r\nabc\r\n")


def test_raw_bytes_replace_everything() -> None:
    assert serialise(Message(path="/ignored", raw=(Piece(text="GET /\r\n", hex="00"),)), "h") == b"GET /\r\n\x00"


def test_a_lone_surrogate_is_sent_escaped() -> None:
    assert bytes_of(json_body({"a": "\ud800"})) == b'{"a": "\\ud800"}'


def test_not_a_number_is_sent_as_the_literal_that_json_lacks() -> None:
    assert bytes_of(json_body({"t": float("nan")})) == b'{"t": NaN}'


def test_the_body_of_a_message_can_be_read_back() -> None:
    assert body_value(json_message("/", {"a": [1, None]})) == {"a": [1, None]}
