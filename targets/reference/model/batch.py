"""The tokens of one step as flat arrays: what is computed, where it is stored, what it attends to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Piece:
    """Consecutive tokens of one sequence that are computed in one step."""

    tokens: Sequence[int]
    start: int
    """Position of the first of them."""
    blocks: Sequence[int]
    """Block table of the sequence."""
    adapter: int
    """Index of the weight adapter; 0 is none."""


@dataclass(frozen=True)
class Batch:
    """One step over T tokens with at most L keys; all int64."""

    tokens: Integers
    """[T]"""
    positions: Integers
    """[T], counted from 0 in each sequence."""
    slots: Integers
    """[T]: where keys and values of each token are stored."""
    key_slots: Integers
    """[T, L]: where the key at each position of the token's sequence is stored."""
    distance: Integers
    """[T, L]: how far back that key lies; negative for a position after the token, which it must not see."""
    adapters: Integers
    """[T]"""
    rows: Integers
    """[R]: the tokens whose logits are wanted."""


class LanguageModel(Protocol):
    """What the engine needs of a model."""

    adapters: tuple[str, ...]

    def new_cache(self, slots: int) -> Any:
        """An empty KV cache for this many tokens."""

    def forward(self, batch: Batch, cache: Any, compiled: bool = False) -> Floats:
        """Store keys and values of the batch, then return the logits [R, vocab] of its wanted rows."""

    def copy(self, cache: Any, source: int, target: int, slots: int) -> None:
        """Copy keys and values of so many slots from `source` on to those from `target` on."""

    def poison(self, cache: Any, start: int, stop: int) -> None:
        """Overwrite slots with values that no correct computation may read."""


def flatten(pieces: Sequence[Piece], rows: Sequence[int], block_size: int) -> Batch:
    """The batch of some pieces. `rows` are indices into their concatenated tokens."""
    counts = [len(piece.tokens) for piece in pieces]
    sequence = np.repeat(np.arange(len(pieces)), counts)
    positions = np.concatenate([np.arange(piece.start, piece.start + len(piece.tokens)) for piece in pieces])
    table = block_tables(pieces)
    keys = np.arange(positions.max() + 1)
    # Positions after the token are masked; they read the token's own slot, never one that is not written yet.
    readable = np.minimum(keys, positions[:, None])
    return Batch(
        tokens=np.concatenate([np.asarray(piece.tokens, dtype=np.int64) for piece in pieces]),
        positions=positions,
        slots=slots_of(table, sequence, positions, block_size),
        key_slots=slots_of(table, sequence[:, None], readable, block_size),
        distance=positions[:, None] - keys,
        adapters=np.repeat(np.array([piece.adapter for piece in pieces]), counts),
        rows=np.asarray(rows, dtype=np.int64),
    )


def block_tables(pieces: Sequence[Piece]) -> Integers:
    """Block tables as one array [pieces, longest], padded with block 0, which is never read through it."""
    longest = max(len(piece.blocks) for piece in pieces)
    return np.array([[*piece.blocks, *[0] * (longest - len(piece.blocks))] for piece in pieces], dtype=np.int64)


def slots_of(table: Integers, sequence: Integers, positions: Integers, block_size: int) -> Integers:
    """Slot of each position of a sequence: its block, and the place inside the block."""
    slots: Integers = table[sequence, positions // block_size] * block_size + positions % block_size
    return slots
