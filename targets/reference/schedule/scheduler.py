"""Continuous batching: who computes which tokens in a step, who is admitted, who is preempted.

First come, first served: running sequences are always older than waiting ones, and under memory pressure the youngest
running sequence gives up its blocks and is computed again later. The oldest therefore advances in every step.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

from targets.reference.faults import EXECUTOR_POINTS, FaultInjector, RequestFailed
from targets.reference.memory.blocks import BlockPool, OutOfBlocks
from targets.reference.memory.prefix_cache import PrefixCache
from targets.reference.schedule.sequence import Sequence
from targets.reference.schedule.speculative import draft
from targets.reference.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class Work:
    """What one sequence computes in one step."""

    sequence: Sequence
    tokens: list[int]
    """Its next tokens, then the draft tokens."""
    drafts: int = 0

    @property
    def known(self) -> int:
        """Tokens without the drafts."""
        return len(self.tokens) - self.drafts

    @property
    def completes(self) -> bool:
        """Whether everything known is computed after this step, so that the next token can be chosen."""
        return self.sequence.computed + self.known == len(self.sequence.tokens)

    def confirms(self, depth: int, token: int | None) -> bool:
        """Whether the token chosen at this depth equals the draft, so that the row after it is valid as well."""
        if depth >= self.drafts or self.sequence.finish_reason is not None:
            return False
        return self.tokens[self.known + depth] == token


class Scheduler:
    """Owns the queues and hands out blocks."""

    def __init__(
        self, settings: EngineSettings, pool: BlockPool, cache: PrefixCache, faults: FaultInjector | None = None
    ) -> None:
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []
        self.failed: list[tuple[Sequence, RequestFailed]] = []
        """Taken out since the last step, with the reason; whoever reports them clears the list."""
        self._settings = settings
        self._pool = pool
        self._cache = cache
        self._faults = faults or FaultInjector(EXECUTOR_POINTS)

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence."""
        bisect.insort(self.waiting, sequence, key=lambda waiting: waiting.order)

    def remove(self, sequence: Sequence) -> None:
        """Take out a sequence that ended or was aborted, in whatever state it is, and release its blocks."""
        (self.running if sequence in self.running else self.waiting).remove(sequence)
        self._release(sequence)

    def schedule(self) -> list[Work]:
        """The work of the next step; empty only if nothing is queued or running."""
        work: list[Work] = []
        running = len(self.running)
        for sequence in list(self.running):
            if sequence in self.running:
                self._continue_or_fail(sequence, work)
        if len(self.running) == running:
            self._admit(work)
        return work

    def publish(self, sequence: Sequence) -> None:
        """Make the sequence's fully computed blocks findable for others."""
        if not self._settings.prefix_cache:
            return
        full = sequence.computed // self._settings.block_size
        hashes = sequence.hash_chain(full, self._settings.block_size)
        for place in range(sequence.published, full):
            self._cache.publish(sequence.blocks[place], hashes[place])
        sequence.published = full

    def _continue_or_fail(self, sequence: Sequence, work: list[Work]) -> None:
        """The same as `_continue` for a sequence that may fail on its way."""
        try:
            self._continue(sequence, work)
        except RequestFailed as failed:
            self._fail(sequence, failed)

    def _fail(self, sequence: Sequence, failed: RequestFailed) -> None:
        self.remove(sequence)
        self.failed.append((sequence, failed))

    def _continue(self, sequence: Sequence, work: list[Work]) -> None:
        """Add the sequence's work, if the chunk has room and it can have blocks; drafts once it decodes."""
        room = self._settings.chunk_size - sum(item.known for item in work)
        tokens = sequence.tokens[sequence.computed :][:room]
        if tokens and self._reserve(sequence, sequence.computed + len(tokens)):
            drafts = self._drafts(sequence) if sequence.computed == len(sequence.tokens) - 1 else []
            work.append(Work(sequence, tokens + drafts, len(drafts)))

    def _reserve(self, sequence: Sequence, tokens: int) -> bool:
        """Give the sequence blocks for this many tokens, at the cost of younger ones; False if it is the youngest."""
        while len(sequence.blocks) < self._settings.blocks_for(tokens):
            try:
                sequence.blocks.append(self._allocate())
            except OutOfBlocks:
                youngest = self.running[-1]
                self._preempt(youngest)
                if youngest is sequence:
                    return False
        return True

    def _preempt(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self._release(sequence)
        self.add(sequence)

    def _release(self, sequence: Sequence) -> None:
        self._pool.release_all(sequence.blocks)
        sequence.blocks = []
        sequence.computed = sequence.published = 0

    def _drafts(self, sequence: Sequence) -> list[int]:
        """Draft tokens, as many as may still be generated and fit into blocks that nobody else needs."""
        remaining = sequence.sampling.max_tokens - sequence.generated
        count = min(self._settings.speculative, remaining - 1)
        missing = self._settings.blocks_for(len(sequence.tokens) + count) - len(sequence.blocks)
        for _ in range(min(missing, self._pool.free)):
            sequence.blocks.append(self._allocate())
        room = len(sequence.blocks) * self._settings.block_size - len(sequence.tokens)
        return draft(sequence.tokens, min(count, room))

    def _admit(self, work: list[Work]) -> None:
        while self.waiting and len(self.running) < self._settings.max_batch:
            sequence = self.waiting[0]
            try:
                if not (_prompt_is_computed(sequence) and self._take_blocks(sequence)):
                    break
            except RequestFailed as failed:
                self._fail(sequence, failed)
                continue
            self.running.append(self.waiting.pop(0))
            self._continue_or_fail(sequence, work)

    def _take_blocks(self, sequence: Sequence) -> bool:
        """Give a waiting sequence blocks for all its tokens, shared ones first; False if there are too few."""
        shared = self._shared_prefix(sequence)
        for block in shared:
            self._pool.retain(block)
        missing = self._settings.blocks_for(len(sequence.tokens)) - len(shared)
        if missing > self._pool.available:
            self._pool.release_all(shared)
            return False
        # The sequence owns each block at once: if the next one cannot be had, it gives back those before it.
        sequence.blocks = list(shared)
        for _ in range(missing):
            sequence.blocks.append(self._allocate())
        sequence.computed = len(shared) * self._settings.block_size
        if sequence.group.cached_tokens is None:
            sequence.group.cached_tokens = sequence.computed
        return True

    def _allocate(self) -> int:
        """A block of the pool. Raises `OutOfBlocks`, and `RequestFailed` for memory that cannot be had."""
        self._faults.check("allocation")
        return self._pool.allocate()

    def _shared_prefix(self, sequence: Sequence) -> list[int]:
        """Computed blocks to start from. At least the last token is left to compute: its logits are needed."""
        if sequence.prompt_logprobs is not None:
            return []
        full = (len(sequence.tokens) - 1) // self._settings.block_size
        found = [self._prompt_blocks(sample) for sample in sequence.group.sequences]
        if self._settings.prefix_cache:
            found.append(self._cache.lookup(sequence.hash_chain(full, self._settings.block_size)))
        return max(found, key=len)

    def _prompt_blocks(self, sequence: Sequence) -> list[int]:
        """Full blocks of its prompt that a sample has computed and holds, for others of the same request."""
        full = min(sequence.prompt_length - 1, sequence.computed) // self._settings.block_size
        return sequence.blocks[:full]


def _prompt_is_computed(sequence: Sequence) -> bool:
    """Whether a sample need not wait for the first one of its request, whose prompt blocks it will share."""
    first = sequence.group.sequences[0]
    return first is sequence or first.generated > 0 or first.finish_reason is not None
