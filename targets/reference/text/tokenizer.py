"""A byte-level tokenizer: every byte is a token, and a few merges hold several bytes.

Any text without lone surrogates encodes, and decoding gives it back. Some merges end inside a UTF-8 character and
some hold several characters, so that text borders and token borders differ both ways.
"""

from __future__ import annotations

from collections.abc import Sequence

from targets.contract import RequestRejected

PAD, BOS, EOS = 0, 1, 2
SPECIAL = (PAD, BOS, EOS)
FIRST_BYTE = len(SPECIAL)

MERGES: tuple[bytes, ...] = (
    b" the",
    b"ing",
    b"ab",
    b"abc",
    b"\n\n",
    b"  ",
    b"er",
    b"in",
    b"on",
    b". ",
    b'{"',
    b'"}',
    "é".encode(),
    "ü".encode(),
    "✅".encode()[:2],
    "🌶".encode()[:2],
    "🌶".encode()[2:],
    "👨".encode(),
    "\u200d".encode(),
    "かな".encode(),
    b"\xcc\x81e",
)
"""Tokens of several bytes; ids follow the single bytes."""

PIECES: tuple[bytes, ...] = (*(b"" for _ in SPECIAL), *(bytes([value]) for value in range(256)), *MERGES)
"""Token id to its bytes; special tokens have none."""

VOCAB_SIZE = len(PIECES)

_LONGEST = max(map(len, MERGES))
_IDS = {piece: token for token, piece in enumerate(PIECES) if piece}


def encode(text: str) -> tuple[int, ...]:
    """Token ids by longest match from the left. Raises `RequestRejected` for lone surrogates."""
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise RequestRejected("text", text[error.start : error.end], "text without lone surrogates") from None
    tokens = []
    start = 0
    while start < len(data):
        piece = _longest_piece(data, start)
        tokens.append(_IDS[piece])
        start += len(piece)
    return tuple(tokens)


def decode(token_ids: Sequence[int]) -> str:
    """The text of a whole sequence of ids of the vocabulary; undecodable bytes become U+FFFD."""
    return b"".join(PIECES[token] for token in token_ids).decode(errors="replace")


def _longest_piece(data: bytes, start: int) -> bytes:
    for size in range(_LONGEST, 1, -1):
        piece = data[start : start + size]
        if piece in _IDS:
            return piece
    return data[start : start + 1]
