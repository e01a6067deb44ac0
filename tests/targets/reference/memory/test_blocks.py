from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from targets.reference.memory.blocks import BlockPool, OutOfBlocks
from targets.reference.memory.prefix_cache import PrefixCache

TOTAL = 5


def test_releasing_a_block_that_nobody_holds_is_an_error() -> None:
    pool = BlockPool(TOTAL, PrefixCache())
    block = pool.allocate()
    pool.release(block)
    with pytest.raises(KeyError):
        pool.release(block)
    assert pool.free == TOTAL


def test_a_free_block_cannot_be_shared() -> None:
    pool = BlockPool(TOTAL, PrefixCache())
    with pytest.raises(KeyError):
        pool.retain(0)


def test_a_shared_block_is_freed_by_its_last_holder() -> None:
    pool = BlockPool(TOTAL, PrefixCache())
    block = pool.allocate()
    pool.retain(block)
    pool.release(block)
    assert pool.free == TOTAL - 1
    pool.release(block)
    assert pool.free == TOTAL


def test_a_cached_block_is_evicted_only_when_nothing_is_free() -> None:
    cache = PrefixCache()
    freed: list[int] = []
    pool = BlockPool(2, cache, freed.append)
    cached = pool.allocate()
    cache.publish(cached, b"key")
    pool.release(cached)
    assert freed == []
    assert pool.allocate() != cached
    assert pool.allocate() == cached
    assert freed == [cached]
    assert cache.lookup([b"key"]) == []
    with pytest.raises(OutOfBlocks):
        pool.allocate()


def test_a_block_table_is_released_from_its_end() -> None:
    cache = PrefixCache()
    pool = BlockPool(3, cache)
    table = [pool.allocate() for _ in range(3)]
    for block in table:
        cache.publish(block, bytes([block]))
    pool.release_all(table)
    assert [cache.evict() for _ in range(3)] == table[::-1]


class Accounting(RuleBasedStateMachine):
    """Against a model that only counts holders."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = PrefixCache()
        self.pool = BlockPool(TOTAL, self.cache)
        self.held: list[int] = []
        self.published = 0

    @rule()
    def allocate(self) -> None:
        if self.pool.available:
            block = self.pool.allocate()
            assert block not in self.held
            self.held.append(block)
        else:
            with pytest.raises(OutOfBlocks):
                self.pool.allocate()

    @rule(place=st.integers(0, 20))
    def release(self, place: int) -> None:
        if self.held:
            self.pool.release(self.held.pop(place % len(self.held)))

    @rule(place=st.integers(0, 20))
    def publish(self, place: int) -> None:
        if self.held:
            self.published += 1
            self.cache.publish(self.held[place % len(self.held)], self.published.to_bytes(4, "big"))

    @rule(number=st.integers(0, 20))
    def share(self, number: int) -> None:
        for block in self.cache.lookup([number.to_bytes(4, "big")]):
            self.pool.retain(block)
            self.held.append(block)

    @invariant()
    def counts_agree(self) -> None:
        assert self.pool.available + len(set(self.held)) == TOTAL


TestAccounting = Accounting.TestCase
