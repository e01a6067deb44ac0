"""The executor's grammar against the recogniser of the property, which was written apart from it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from fuzz.lab.json_schema import accepts, viable
from strategies.schemas import draw_schema
from strategies.source import RandomSource
from targets.json_schema import why_not
from targets.reference.sampling.grammar import Constraint, SchemaError, grammar_of
from targets.reference.text.tokenizer import EOS, PIECES, SPECIAL, decode, encode

OBJECT = {
    "type": "object",
    "properties": {"a": {"type": "array", "items": {"type": "boolean"}, "minItems": 1}, "é": {"type": "integer"}},
}


def after(schema: dict[str, Any], text: str) -> Constraint:
    constraint = Constraint(grammar_of(schema))
    for token in encode(text):
        assert constraint.allowed[token]
        constraint.push(token)
    return constraint


def allowed(schema: dict[str, Any], text: str = "") -> set[bytes]:
    return {PIECES[token] for token in after(schema, text).allowed.nonzero()[0]}


def test_only_tokens_that_keep_the_text_viable_are_allowed() -> None:
    assert allowed(OBJECT) == {b"{", b'{"'}
    assert allowed(OBJECT, '{"a":[true') == {b",", b"]"}
    assert allowed({"enum": ["ab", "abc", 12]}, '"ab') == {b'"', b"c"}


def test_a_token_of_several_bytes_is_allowed_only_as_a_whole() -> None:
    assert PIECES.index(b'{"') not in after({"type": "object", "properties": {}}, "").allowed.nonzero()[0]


def test_end_of_sequence_is_allowed_behind_a_complete_document_only() -> None:
    schema = {"type": "integer"}

    assert not after(schema, "-").allowed[EOS]
    assert after(schema, "-1").allowed[EOS]


def test_end_of_sequence_may_come_again_and_special_tokens_never() -> None:
    constraint = after({"type": "null"}, "null")
    constraint.push(EOS)

    assert set(constraint.allowed.nonzero()[0]) == {EOS}
    assert not any(after(OBJECT, '{"a":').allowed[list(SPECIAL)])


def test_a_length_counts_characters_and_not_bytes() -> None:
    assert allowed({"type": "string", "maxLength": 2}, '"é✅') == {b'"'}


@pytest.mark.parametrize("text", [b"\xc0", b"\xed\xa0", b"\xf5", b"\xe0\x80", b'\\"', b"\x1f"])
def test_a_text_is_well_formed_and_needs_no_escape(text: bytes) -> None:
    constraint = after({"type": "string"}, '"')
    for byte in text[:-1]:
        constraint.push(byte + len(SPECIAL))
    last = text[-1] + len(SPECIAL)

    assert not constraint.allowed[last] or text == b'\\"'


def test_a_repeated_state_of_two_samples_is_apart() -> None:
    grammar = grammar_of({"type": "boolean"})
    first, second = Constraint(grammar), Constraint(grammar)
    first.push(encode("t")[0])

    assert first.state != second.state


@pytest.mark.parametrize("seed", range(20))
def test_random_walks_are_viable_and_accepted_where_they_may_end(seed: int) -> None:
    random = Random(seed)
    schema = draw_schema(RandomSource(random))
    constraint, tokens = Constraint(grammar_of(schema)), list[int]()
    for _ in range(30):
        choices = [int(token) for token in constraint.allowed.nonzero()[0]]
        text = decode(tokens)
        assert not text.endswith("\ufffd") or EOS not in choices
        assert (EOS in choices) is accepts(schema, text) or text.endswith("\ufffd")
        assert viable(schema, text.rstrip("\ufffd"))
        tokens.append(random.choice(choices))
        if tokens[-1] == EOS:
            break
        constraint.push(tokens[-1])


@pytest.mark.parametrize("seed", range(20))
def test_what_it_does_not_allow_is_not_viable(seed: int) -> None:
    random = Random(seed)
    schema = draw_schema(RandomSource(random))
    constraint, tokens = Constraint(grammar_of(schema)), list[int]()
    for _ in range(8):
        banned = random.choice([int(token) for token in (~constraint.allowed).nonzero()[0] if token not in SPECIAL])
        text = decode([*tokens, banned])
        assert "\ufffd" in text or not viable(schema, text)
        choices = [int(token) for token in constraint.allowed.nonzero()[0] if PIECES[token]]
        if not choices:
            break
        tokens.append(random.choice(choices))
        constraint.push(tokens[-1])


@pytest.mark.parametrize(
    "schema", [None, {}, {"enum": []}, {"type": "integer", "minimum": 1}, {"type": "string", "minLength": True}]
)
def test_a_schema_outside_the_subset_is_refused(schema: object) -> None:
    assert why_not(schema)
    with pytest.raises(SchemaError):
        grammar_of(schema)
