"""Breaking constrained output of the reference executor is seen by the property about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from targets.reference.sampling import grammar, penalties
from targets.reference.sampling.grammar import Constraint
from targets.reference.text.tokenizer import EOS, VOCAB_SIZE, encode

BOOLEAN = {"type": "boolean"}


def test_p32_accepts_what_the_engine_answers(make_request: Any, make_trace: Any, signatures: Any) -> None:
    schema = {"type": "array", "items": BOOLEAN, "maxItems": 2}

    assert signatures(make_trace(make_request(json_schema=schema, max_tokens=20)), "P32") == set()


def test_p32_sees_an_answer_that_ends_too_early(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    masked = grammar.allowed_after
    monkeypatch.setattr(grammar, "allowed_after", lambda state: masked(state) | (np.arange(VOCAB_SIZE) == EOS))
    trace = make_trace(make_request(json_schema=BOOLEAN, logit_bias={EOS: 100.0}))

    assert signatures(trace, "P32") == {"P32/not-accepted"}


def test_p32_sees_an_answer_that_nothing_completes(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(Constraint, "push", lambda _self, _token: None)

    assert signatures(make_trace(make_request(json_schema=BOOLEAN, max_tokens=2)), "P32") == {"P32/not-viable"}


def test_p32_sees_a_token_that_is_left_out(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    whole = Constraint.allowed.fget  # type: ignore[attr-defined] # a property

    def narrow(self: Constraint) -> Any:
        mask = np.array(whole(self))
        mask[encode("t")[0]] = False
        return mask

    monkeypatch.setattr(Constraint, "allowed", property(narrow))
    trace = make_trace(make_request(json_schema=BOOLEAN, logit_bias={encode("t")[0]: 100.0}))

    assert signatures(trace, "P32") == {"P32/too-narrow"}


def test_p32_sees_an_answer_that_could_have_gone_on_to_min_tokens(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    trace = make_trace(make_request(json_schema={"type": "integer"}, min_tokens=4, logit_bias={EOS: 100.0}))
    assert signatures(trace, "P32") == set()

    monkeypatch.setattr(penalties, "must_end", lambda *_arguments: True)

    assert signatures(trace, "P32") == {"P32/ends-too-early"}


def test_p32_leaves_an_answer_alone_that_a_stop_string_cut(make_request: Any, make_trace: Any, signatures: Any) -> None:
    trace = make_trace(make_request(json_schema={"enum": ["abc"]}, stop=("b",), max_tokens=20))

    assert signatures(trace, "P32", "P29") == set()


def test_a_complete_text_may_end_before_min_tokens(make_request: Any, make_trace: Any, signatures: Any) -> None:
    request = make_request(json_schema={"type": "null"}, min_tokens=12, max_tokens=12)

    assert signatures(make_trace(request), "P5", "P16", "P25", "P29", "P32") == set()
