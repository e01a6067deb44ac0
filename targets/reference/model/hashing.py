"""The hash model: integer state in the KV cache, so every path gives exactly the same logits on every device.

Layer 0 sums hashes of (token, position, adapter) over a sliding window, layer 1 sums hashes of those sums over
everything before. The state at a position is thus a hash of all (token, position, adapter) it attends to, in 64-bit
integers, where the order of summation does not matter. The state names a winning token, whose logit leads by `MARGIN`,
and gives every other token one of eight smaller logits, so that sampling has something to choose from.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from targets.reference.model.batch import Batch, Floats
from targets.reference.model.config import ADAPTERS, WINDOW
from targets.reference.model.hash_constants import (
    ADAPTER_FACTOR,
    LAYER_OFFSET,
    LEVEL_STEP,
    LEVELS,
    MIX_FACTORS,
    POSITION_FACTOR,
    TOKEN_FACTOR,
    WINNER_LOGIT,
    WINNERS_BITS,
    expects_continuation,
    winners,
)
from targets.reference.text.tokenizer import VOCAB_SIZE

POISON = 0x7FF8_DEAD_7FF8_DEAD


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

    def copy(self, cache: Tensor, source: int, target: int, slots: int) -> None:
        """What stands for keys and values."""
        cache[:, target : target + slots] = cache[:, source : source + slots]

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
