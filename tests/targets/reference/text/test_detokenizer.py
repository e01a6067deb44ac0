from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from targets.reference.text.detokenizer import Detokenizer
from targets.reference.text.tokenizer import FIRST_BYTE, VOCAB_SIZE, decode, encode

# Bytes that begin, continue or break UTF-8 characters are frequent.
TRICKY = st.one_of(
    st.integers(0, VOCAB_SIZE - 1),
    st.sampled_from([0x80, 0x9F, 0xA0, 0xBF, 0xC0, 0xC3, 0xE0, 0xE2, 0xED, 0xF0, 0xF4, 0xFF]).map(
        lambda value: value + FIRST_BYTE
    ),
)


@given(st.lists(TRICKY, max_size=40))
def test_text_piece_by_piece_is_the_text_of_the_whole(tokens: list[int]) -> None:
    detokenizer = Detokenizer()
    pieces = [detokenizer.push(token) for token in tokens]
    assert "".join(pieces) + detokenizer.flush() == decode(tokens)


def test_an_unfinished_character_waits_for_its_last_byte() -> None:
    detokenizer = Detokenizer()
    tokens = [value + FIRST_BYTE for value in "🌵".encode()]
    assert [detokenizer.push(token) for token in tokens] == ["", "", "", "🌵"]


def test_an_unfinished_character_at_the_end_becomes_one_replacement() -> None:
    detokenizer = Detokenizer()
    shown = [detokenizer.push(value + FIRST_BYTE) for value in "✅".encode()[:2]]
    assert shown == ["", ""]
    assert detokenizer.flush() == "\ufffd"
    assert detokenizer.flush() == ""


def test_a_special_token_does_not_break_a_character() -> None:
    detokenizer = Detokenizer()
    first, second = (value + FIRST_BYTE for value in "é".encode())
    assert [detokenizer.push(token) for token in (first, 0, second)] == ["", "", "é"]


def test_plain_text_is_shown_at_once() -> None:
    detokenizer = Detokenizer()
    assert [detokenizer.push(token) for token in encode("abx")] == ["ab", "x"]
