"""Breaking the reference executor's text is seen by P9, P21 or P33."""

from __future__ import annotations

from typing import Any

import pytest

from targets.contract import RequestRejected
from targets.reference.text import tokenizer
from targets.reference.text.detokenizer import Detokenizer
from targets.reference.text.stop import StopScanner

BYTES = 3
"""Token id of byte 0."""


def test_p9_sees_text_that_is_held_back_and_lost(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(StopScanner, "flush", lambda _self: "")
    first = make_request(logit_bias={BYTES + ord("a"): 100.0})

    assert signatures(make_trace(first), "P9") == set()
    cut = make_request(logit_bias={BYTES + ord("a"): 100.0}, stop=("ab",))
    assert signatures(make_trace(cut), "P9") == {"P9/text-differs"}


def test_p9_sees_an_unfinished_character_that_disappears(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(Detokenizer, "flush", lambda _self: "")
    half = make_request(logit_bias={BYTES + 0xC3: 100.0})

    assert signatures(make_trace(half), "P9") == {"P9/text-differs"}


def test_p21_sees_text_that_stays_held_back_at_the_end(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(StopScanner, "flush", lambda _self: "")

    trace = make_trace(make_request(logit_bias={BYTES + ord("a"): 100.0}))

    assert signatures(trace, "P21") == {"P21/text-differs"}


def test_p33_sees_a_text_that_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    encode = tokenizer.encode
    monkeypatch.setattr(tokenizer, "encode", lambda text: encode(text.replace("zz", "z")))

    assert signatures(make_trace(make_request(stop=("zz",))), "P33") == {"P33/round-trip"}


def test_p33_sees_a_refusal_that_does_not_say_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    encode = tokenizer.encode

    def silent(text: str) -> tuple[int, ...]:
        try:
            return encode(text)
        except RequestRejected as refusal:
            raise RequestRejected(refusal.field, refusal.value, "") from None

    monkeypatch.setattr(tokenizer, "encode", silent)

    assert signatures(make_trace(make_request(stop=("é",))), "P33") == {"P33/refusal-says-nothing"}


def test_p33_sees_a_tokenizer_that_never_merges(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(tokenizer, "_longest_piece", lambda data, start: data[start : start + 1])

    assert signatures(make_trace(make_request(stop=("ab",))), "P33") == {"P33/merges-not-in-use"}
