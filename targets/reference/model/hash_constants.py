"""Numbers of the hash model, shared by the engine and the oracle."""

from __future__ import annotations

import codecs

import numpy as np
import numpy.typing as npt

from targets.reference.text.tokenizer import MERGES, PIECES, VOCAB_SIZE

WINNER_LOGIT = 6.5
LEVELS = 8
LEVEL_STEP = 0.5
MARGIN = WINNER_LOGIT - (LEVELS - 1) * LEVEL_STEP
"""How far the winner's logit leads: 3.0. All logits are exact in bfloat16."""

# Odd 64-bit numbers, negative where the highest bit is set; products wrap around.
TOKEN_FACTOR = 0x9E3779B97F4A7C15 - 2**64
POSITION_FACTOR = 0xC2B2AE3D27D4EB4F - 2**64
ADAPTER_FACTOR = 0x165667B19E3779F9
LAYER_OFFSET = 0x27D4EB2F165667C5
MIX_FACTORS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)

WINNERS_BITS = 10
"""Bits of the state that choose the winner."""


def winners() -> npt.NDArray[np.int64]:
    """Winning tokens [2, 1024] by (unfinished character before, state): mostly printable, with UTF-8 and merges."""
    size = 1 << WINNERS_BITS
    printable = [token for token, piece in enumerate(PIECES) if len(piece) == 1 and 32 <= piece[0] < 127]
    leading = [token for token, piece in enumerate(PIECES) if len(piece) == 1 and 0xC2 <= piece[0] < 0xF0]
    following = [token for token, piece in enumerate(PIECES) if len(piece) == 1 and 0x80 <= piece[0] < 0xC0]
    merges = list(range(VOCAB_SIZE - len(MERGES), VOCAB_SIZE))
    usual = _blend(size, (printable, 0.45), (merges, 0.25), (leading, 0.1), (list(range(VOCAB_SIZE)), 0.2))
    inside = _blend(size, (following, 0.8), (printable, 0.1), (list(range(VOCAB_SIZE)), 0.1))
    return np.array([usual, inside], dtype=np.int64)


def _blend(size: int, *parts: tuple[list[int], float]) -> list[int]:
    blend: list[int] = []
    for tokens, share in parts:
        count = round(size * share)
        blend += [tokens[place % len(tokens)] for place in range(count)]
    return (blend + parts[-1][0])[:size]


def expects_continuation() -> npt.NDArray[np.int64]:
    """For each token 1 if its bytes end inside a UTF-8 character, else 0."""
    return np.array([codecs.utf_8_decode(piece, "replace", False)[1] < len(piece) for piece in PIECES], dtype=np.int64)
