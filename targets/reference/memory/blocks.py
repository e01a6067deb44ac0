"""The block pool: allocation with reference counts over a fixed number of blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from targets.reference.memory.prefix_cache import PrefixCache


class OutOfBlocks(Exception):  # noqa: N818 - a state of the pool that the scheduler acts on, not a defect
    """Neither a free block nor one to evict is left."""


class BlockPool:
    """Every block is free, held by some, or unused but kept by the prefix cache.

    Only held blocks are counted, so that a step which breaks the accounting is a `KeyError` and never a wrong number.
    """

    def __init__(self, total: int, cache: PrefixCache, on_free: Callable[[int], None] | None = None) -> None:
        self.total = total
        self._cache = cache
        self._on_free = on_free
        self._free = list(range(total - 1, -1, -1))
        self._counts: dict[int, int] = {}

    @property
    def free(self) -> int:
        """Blocks that hold nothing."""
        return len(self._free)

    @property
    def available(self) -> int:
        """Blocks that can be had without preempting anybody."""
        return len(self._free) + self._cache.unused

    def allocate(self) -> int:
        """A block with one holder. Raises `OutOfBlocks`."""
        if self._free:
            block = self._free.pop()
        else:
            evicted = self._cache.evict()
            if evicted is None:
                raise OutOfBlocks(f"all {self.total} blocks are held")
            self._freed(evicted)
            block = evicted
        self._counts[block] = 1
        return block

    def retain(self, block: int) -> None:
        """One more holder of a block that is held or cached. Raises `KeyError` for a free one."""
        if block not in self._counts:
            self._cache.mark_used(block)
            self._counts[block] = 0
        self._counts[block] += 1

    def release(self, block: int) -> None:
        """One holder less; the last one gives the block back. Raises `KeyError` if nobody holds it."""
        self._counts[block] -= 1
        if self._counts[block] == 0:
            del self._counts[block]
            self._give_back(block)

    def release_all(self, blocks: Sequence[int]) -> None:
        """Release a block table from its end, so that the beginning of a prompt is evicted last."""
        for block in reversed(blocks):
            self.release(block)

    def _give_back(self, block: int) -> None:
        if block in self._cache:
            self._cache.mark_unused(block)
        else:
            self._freed(block)
            self._free.append(block)

    def _freed(self, block: int) -> None:
        if self._on_free is not None:
            self._on_free(block)
