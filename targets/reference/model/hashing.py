"""The hash model: integer state in the KV cache, so every path gives exactly the same logits on every device.

Layer 0 sums hashes of (token, position, adapter) over a sliding window, layer 1 sums hashes of those sums over
everything before. The state at a position is thus a hash of all (token, position, adapter) it attends to, in 64-bit
integers, where the order of summation does not matter. The state names a winning token, whose logit leads by `MARGIN`,
and gives every other token one of eight smaller logits, so that sampling has something to choose from.
"""

from __future__ import annotations

import codecs

import numpy as np
import torch
from torch import Tensor

from targets.reference.model.batch import Batch, Floats
from targets.reference.model.config import ADAPTERS, WINDOW
from targets.reference.text.tokenizer import MERGES, PIECES, VOCAB_SIZE

WINNER_LOGIT = 6.5
LEVELS = 8
LEVEL_STEP = 0.5
MARGIN = WINNER_LOGIT - (LEVELS - 1) * LEVEL_STEP
"""How far the winner's logit leads: 3.0. All logits are exact in bfloat16."""

POISON = 0x7FF8_DEAD_7FF8_DEAD

# Odd 64-bit constants as signed integers; products wrap around.
TOKEN_FACTOR = 0x9E3779B97F4A7C15 - 2**64
POSITION_FACTOR = 0xC2B2AE3D27D4EB4F - 2**64
ADAPTER_FACTOR = 0x165667B19E3779F9
LAYER_OFFSET = 0x27D4EB2F165667C5
MIX_FACTORS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)

WINNERS_BITS = 10


class HashModel:
    """The model on one device. Its KV cache is one int64 tensor [2, slots]."""

    def __init__(self, device: str, dtype: str) -> None:
        self.adapters: tuple[str, ...] = ADAPTERS
        self.device = torch.device(device)
        self.dtype: torch.dtype = getattr(torch, dtype)
        self._winners = torch.from_numpy(winners()).to(self.device)
        self._follow = torch.from_numpy(expects_continuation()).to(self.device)
        self._token_hashes = mix(torch.arange(VOCAB_SIZE, device=self.device) * TOKEN_FACTOR)

    def new_cache(self, slots: int) -> Tensor:
        """An empty cache."""
        return torch.zeros((2, slots), dtype=torch.int64, device=self.device)

    def poison(self, cache: Tensor, start: int, stop: int) -> None:
        """A value that changes every sum that reads it."""
        cache[:, start:stop] = POISON

    @torch.inference_mode()
    def forward(self, batch: Batch, cache: Tensor, compiled: bool = False) -> Floats:
        """Logits float32 [R, vocab] of the wanted rows, on the host; exact in `dtype`."""
        place = self._place
        tokens, positions, slots = place(batch.tokens), place(batch.positions), place(batch.slots)
        key_slots, distance, rows = place(batch.key_slots), place(batch.distance), place(batch.rows)
        visible = distance >= 0
        cache[0, slots] = mix(
            tokens * TOKEN_FACTOR + positions * POSITION_FACTOR + place(batch.adapters) * ADAPTER_FACTOR
        )
        local = sum_visible(cache[0, key_slots], visible & (distance < WINDOW))
        cache[1, slots] = mix(local + positions * POSITION_FACTOR + LAYER_OFFSET)
        state = mix(sum_visible(cache[1, key_slots], visible) + positions * POSITION_FACTOR)[rows]
        host: Floats = self._logits(state, tokens[rows]).float().cpu().numpy()
        return host

    def _logits(self, state: Tensor, last: Tensor) -> Tensor:
        noise = mix(state[:, None] ^ self._token_hashes) & (LEVELS - 1)
        logits = noise.to(self.dtype) * LEVEL_STEP
        winner = self._winners[self._follow[last], state & ((1 << WINNERS_BITS) - 1)]
        return logits.scatter_(1, winner[:, None], WINNER_LOGIT)

    def _place(self, value: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Tensor:
        return torch.from_numpy(value).to(self.device)


def sum_visible(values: Tensor, visible: Tensor) -> Tensor:
    """Sums of the visible entries of [T, L], modulo 2^64."""
    return (values * visible).sum(dim=-1)


def mix(value: Tensor) -> Tensor:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014), a bijection of 64-bit integers."""
    value = (value ^ _shift(value, 30)) * MIX_FACTORS[0]
    value = (value ^ _shift(value, 27)) * MIX_FACTORS[1]
    return value ^ _shift(value, 31)


def _shift(value: Tensor, bits: int) -> Tensor:
    # The shift of signed integers copies the sign bit; the mask takes the copies away.
    return (value >> bits) & ((1 << (64 - bits)) - 1)


def winners() -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
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


def expects_continuation() -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """For each token 1 if its bytes end inside a UTF-8 character, else 0."""
    return np.array([codecs.utf_8_decode(piece, "replace", False)[1] < len(piece) for piece in PIECES], dtype=np.int64)
