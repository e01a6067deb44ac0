from __future__ import annotations

import numpy as np

from targets.reference.model.batch import Piece, flatten

PIECES = (
    Piece(tokens=(11, 12, 13), start=3, blocks=(4, 1), adapter=2),
    Piece(tokens=(21,), start=8, blocks=(0, 2, 3), adapter=0),
)


def test_every_token_has_its_position_slot_and_adapter() -> None:
    batch = flatten(PIECES, [2, 3], block_size=4)
    assert batch.tokens.tolist() == [11, 12, 13, 21]
    assert batch.positions.tolist() == [3, 4, 5, 8]
    assert batch.slots.tolist() == [4 * 4 + 3, 1 * 4 + 0, 1 * 4 + 1, 3 * 4 + 0]
    assert batch.adapters.tolist() == [2, 2, 2, 0]
    assert batch.rows.tolist() == [2, 3]


def test_keys_are_read_where_the_block_table_says() -> None:
    batch = flatten(PIECES, [], block_size=4)
    assert batch.key_slots[3].tolist() == [0, 1, 2, 3, 8, 9, 10, 11, 12]
    assert batch.key_slots[2, :6].tolist() == [16, 17, 18, 19, 4, 5]


def test_positions_after_the_token_are_masked_and_read_its_own_slot() -> None:
    batch = flatten(PIECES, [], block_size=4)
    assert (batch.distance[0] >= 0).tolist() == [True] * 4 + [False] * 5
    assert set(batch.key_slots[0, 4:].tolist()) == {batch.slots[0]}


def test_a_batch_is_the_same_for_every_block_layout_but_for_the_slots() -> None:
    small = flatten([Piece((1, 2, 3, 4, 5), 0, (0, 1, 2), 0)], [4], block_size=2)
    large = flatten([Piece((1, 2, 3, 4, 5), 0, (0,), 0)], [4], block_size=8)
    assert np.array_equal(small.distance, large.distance)
    assert np.array_equal(small.key_slots, large.key_slots)
