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
        budget = self._settings.chunk_size
        running = len(self.running)
        for sequence in list(self.running):
            if sequence in self.running:
                budget -= self._continue_or_fail(sequence, budget, work)
        if len(self.running) == running:
            self._admit(budget, work)
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

    def _continue_or_fail(self, sequence: Sequence, budget: int, work: list[Work]) -> int:
        """The same as `_continue` for a sequence that may fail on its way, which takes nothing from the budget."""
        try:
            return self._continue(sequence, budget, work)
        except RequestFailed as failed:
            self._fail(sequence, failed)
            return 0

    def _fail(self, sequence: Sequence, failed: RequestFailed) -> None:
        self.remove(sequence)
        self.failed.append((sequence, failed))

    def _continue(self, sequence: Sequence, budget: int, work: list[Work]) -> int:
        """Add the sequence's work if it can have tokens and blocks; returns what that takes from the budget."""
        known = len(sequence.tokens) - sequence.computed
        count = known if known == 1 else min(known, budget)
        if count == 0 or not self._reserve(sequence, sequence.computed + count):
            return 0
        drafts = self._drafts(sequence) if known == 1 else []
        tokens = sequence.tokens[sequence.computed : sequence.computed + count]
        work.append(Work(sequence, tokens + drafts, len(drafts)))
        return count if known > 1 else 0

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
        if count < 1:
            return []
        wanted = self._settings.blocks_for(len(sequence.tokens) + count)
        while len(sequence.blocks) < wanted and self._pool.free > 0:
            sequence.blocks.append(self._allocate())
        room = len(sequence.blocks) * self._settings.block_size - len(sequence.tokens)
        return draft(sequence.tokens, min(count, room)) if room > 0 else []

    def _admit(self, budget: int, work: list[Work]) -> None:
        while self.waiting and budget > 0 and len(self.running) < self._settings.max_batch:
            sequence = self.waiting[0]
            try:
                if not (_prompt_is_computed(sequence) and self._take_blocks(sequence)):
                    break
            except RequestFailed as failed:
                self._fail(sequence, failed)
                continue
            self.running.append(self.waiting.pop(0))
            budget -= self._continue_or_fail(sequence, budget, work)

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
        found = self._blocks_of_siblings(sequence)
        if self._settings.prefix_cache:
            cached = self._cache.lookup(sequence.hash_chain(full, self._settings.block_size))
            found = max(found, cached, key=len)
        return found

    def _blocks_of_siblings(self, sequence: Sequence) -> list[int]:
        """Full blocks of the prompt that another running sample of the same request has computed."""
        best: list[int] = []
        for other in sequence.group.sequences:
            if other is not sequence and other.blocks:
                full = min(sequence.prompt_length - 1, other.computed) // self._settings.block_size
                best = max(best, other.blocks[:full], key=len)
        return best


def _prompt_is_computed(sequence: Sequence) -> bool:
    """Whether a sample need not wait for the first one of its request, whose prompt blocks it will share."""
    first = sequence.group.sequences[0]
    return first is sequence or first.generated > 0 or first.finish_reason is not None
