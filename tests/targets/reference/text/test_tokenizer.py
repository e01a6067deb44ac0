from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from targets.contract import RequestRejected
from targets.reference.text.tokenizer import FIRST_BYTE, MERGES, PIECES, SPECIAL, VOCAB_SIZE, decode, encode


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_decoding_gives_the_encoded_text_back(text: str) -> None:
    assert decode(encode(text)) == text


def test_the_longest_merge_wins() -> None:
    assert [PIECES[token] for token in encode("abcab the")] == [b"abc", b"ab", b" the"]


def test_every_byte_is_a_token_and_special_tokens_have_no_text() -> None:
    assert PIECES[FIRST_BYTE : FIRST_BYTE + 256] == tuple(bytes([value]) for value in range(256))
    assert decode(SPECIAL) == ""
    assert len(SPECIAL) + 256 + len(MERGES) == VOCAB_SIZE


def test_some_tokens_end_inside_a_character_and_some_hold_several() -> None:
    assert decode([PIECES.index("✅".encode()[:2])]) == "\ufffd"
    assert len(decode([PIECES.index("かな".encode())])) == 2


@pytest.mark.parametrize("text", ["\ud800", "a\udc00b"])
def test_a_lone_surrogate_is_refused(text: str) -> None:
    with pytest.raises(RequestRejected, match="lone surrogates"):
        encode(text)
