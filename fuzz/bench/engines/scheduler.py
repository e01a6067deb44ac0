"""A small continuous-batching scheduler with planted conditions: the common ground of the engines' benchmark.

Pure Python, no model: the next token is a hash of the sequence. Eleven conditions depend on state that several requests
build up together; the scheduler notes the ones it meets instead of failing, so that one run measures them all. They are
the kinds of situation that real schedulers got wrong (`reference/inference_bugs.json`: preemption inside a chunked
prefill, an abort of a request that shares blocks, a prompt that is cached as a whole, ...).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from targets.contract import Limits, Request
from targets.trace import Arrival, Trace

BLOCK, CHUNK, BATCH, POOL = 4, 8, 4, 20
VOCABULARY, CONTEXT, EOS = 64, 48, 1
EOS_SCORED = 5
"""Candidate whose choice means the end-of-sequence token."""
MOST_STEPS = 120

LIMITS = Limits(
    vocab_size=VOCABULARY,
    context_length=CONTEXT,
    eos_token_ids=(EOS,),
    block_size=BLOCK,
    chunk_size=CHUNK,
    max_batch=BATCH,
    total_blocks=POOL,
)

CONDITIONS = (
    "abort-of-preempted",
    "abort-of-shared-prefix",
    "eviction-then-hit",
    "exact-fit-in-last-slot",
    "full-hit-on-block-border",
    "last-chunk-of-one-token",
    "preempted-in-chunked-prefill",
    "preempted-thrice",
    "same-seed-other-temperature",
    "stop-on-block-border-after-preemption",
    "top-k-37-in-full-batch",
)
"""What is planted, sorted."""


@dataclass
class _Sequence:
    request: Request
    tokens: list[int]
    computed: int = 0
    blocks: list[int] = field(default_factory=list)
    preemptions: int = 0
    published: int = 0
    """Blocks that the prefix cache has been told of."""

    @property
    def generated(self) -> int:
        return len(self.tokens) - len(self.request.prompt)

    @property
    def in_prefill(self) -> bool:
        return self.computed < len(self.tokens) - 1


class Scheduler:
    """Waiting queue, running batch, block pool with reference counts and a prefix cache."""

    def __init__(self) -> None:
        self.met: set[str] = set()
        self._free = list(range(POOL))
        self._references = [0] * POOL
        self._cached: dict[tuple[int, ...], int] = {}
        self._key_of: dict[int, tuple[int, ...]] = {}
        self._evicted: set[tuple[int, ...]] = set()
        self._waiting: deque[_Sequence] = deque()
        self._running: list[_Sequence] = []
        self._preempted_now = False

    @property
    def idle(self) -> bool:
        """Whether nothing waits or runs."""
        return not self._waiting and not self._running

    def submit(self, request: Request) -> None:
        """Queue a request; one that can never fit is ignored."""
        length = len(request.prompt)
        if not 0 < length < CONTEXT or request.sampling.max_tokens < 1:
            return
        self._waiting.append(_Sequence(request, list(request.prompt)))

    def abort(self, request_id: str) -> None:
        """End a request wherever it is; unknown ids are ignored."""
        for sequence in self._waiting:
            if sequence.request.id == request_id:
                if sequence.preemptions and len(self._running) >= 2:
                    self.met.add("abort-of-preempted")
                self._waiting.remove(sequence)
                return
        for sequence in self._running:
            if sequence.request.id == request_id:
                shared = sum(self._references[block] > 1 for block in sequence.blocks)
                if shared >= 2 and not sequence.in_prefill:
                    self.met.add("abort-of-shared-prefix")
                self._end(sequence)
                return

    def step(self) -> None:
        """Admit, then advance every running sequence by a chunk of its prompt or by one token."""
        self._preempted_now = False
        self._admit()
        self._inspect_batch()
        for sequence in tuple(self._running):
            if sequence not in self._running:
                continue
            if sequence.in_prefill:
                self._prefill(sequence)
            else:
                self._decode(sequence)

    def _admit(self) -> None:
        while self._waiting and len(self._running) < BATCH:
            sequence = self._waiting[0]
            hits = self._match(sequence.tokens)
            needed = len(sequence.tokens) // BLOCK + 1 - len(hits)
            available = len(self._free) + self._evictable(hits)
            if needed > available:
                return
            if needed == available and len(self._running) == BATCH - 1:
                self.met.add("exact-fit-in-last-slot")
            self._waiting.popleft()
            self._start(sequence, hits, needed)

    def _start(self, sequence: _Sequence, hits: list[int], needed: int) -> None:
        for block in hits:
            self._references[block] += 1
        sequence.blocks = hits
        sequence.published = len(hits)
        sequence.computed = min(len(hits) * BLOCK, len(sequence.tokens) - 1)
        if hits and len(hits) * BLOCK == len(sequence.tokens) and len(self._running) >= 1:
            self.met.add("full-hit-on-block-border")
        for _ in range(needed):
            self._grow(sequence)
        self._running.append(sequence)

    def _match(self, tokens: list[int]) -> list[int]:
        blocks: list[int] = []
        for end in range(BLOCK, len(tokens) + 1, BLOCK):
            key = tuple(tokens[:end])
            block = self._cached.get(key)
            if block is None:
                if key in self._evicted and blocks and self._preempted_now is False and len(self._running) == 2:
                    self.met.add("eviction-then-hit")
                break
            blocks.append(block)
        return blocks

    def _evictable(self, kept: list[int]) -> int:
        return sum(1 for block in self._cached.values() if not self._references[block] and block not in kept)

    def _grow(self, sequence: _Sequence) -> bool:
        block = self._allocate()
        if block is None:
            return False
        self._references[block] = 1
        sequence.blocks.append(block)
        return True

    def _allocate(self) -> int | None:
        if self._free:
            return self._free.pop()
        for key, block in self._cached.items():
            if not self._references[block]:
                del self._cached[key]
                del self._key_of[block]
                self._evicted.add(key)
                return block
        return None

    def _prefill(self, sequence: _Sequence) -> None:
        left = len(sequence.tokens) - 1 - sequence.computed
        amount = min(CHUNK, left)
        if amount == 1 and sequence.computed >= 2 * CHUNK and sequence.request.sampling.max_tokens == 1:
            self.met.add("last-chunk-of-one-token")
        sequence.computed += amount
        self._publish(sequence)

    def _publish(self, sequence: _Sequence) -> None:
        """Make the full blocks of the computed part known to the prefix cache."""
        full = (sequence.computed + 1) // BLOCK
        for index in range(sequence.published, full):
            key = tuple(sequence.tokens[: (index + 1) * BLOCK])
            block = sequence.blocks[index]
            if key not in self._cached and block not in self._key_of:
                self._cached[key] = block
                self._key_of[block] = key
        sequence.published = max(sequence.published, full)

    def _decode(self, sequence: _Sequence) -> None:
        while len(sequence.tokens) // BLOCK >= len(sequence.blocks):
            if self._grow(sequence):
                continue
            victim = self._running[-1]
            self._preempt(victim)
            if victim is sequence:
                return
        token = self._choose(sequence)
        sequence.tokens.append(token)
        sequence.computed = len(sequence.tokens) - 1
        self._publish(sequence)
        self._finish(sequence, token)

    def _choose(self, sequence: _Sequence) -> int:
        """Greedy, or one of the `top_k` best by the request's seed, over scores that hash the sequence."""
        sampling = sequence.request.sampling
        state = sequence.tokens[-1] * 31 + len(sequence.tokens) * 7 + sequence.tokens[0]
        scores = sorted(((state * (token + 3)) % 61, token) for token in range(0, VOCABULARY, 5))
        rank = 0
        if sampling.temperature > 0:
            kept = sampling.top_k or len(scores)
            rank = (state * 17 + (sampling.seed or 0)) % min(kept, len(scores))
        token = scores[rank][1]
        if token == EOS_SCORED:
            token = EOS
        if token == EOS and (sampling.ignore_eos or sequence.generated < sampling.min_tokens):
            token = EOS + 1
        return token

    def _finish(self, sequence: _Sequence, token: int) -> None:
        sampling = sequence.request.sampling
        if token == EOS or token in sampling.stop_token_ids:
            if len(sequence.tokens) % BLOCK == 0 and self._preempted_now:
                self.met.add("stop-on-block-border-after-preemption")
            self._end(sequence)
        elif sequence.generated >= sampling.max_tokens or len(sequence.tokens) >= CONTEXT:
            self._end(sequence)

    def _preempt(self, sequence: _Sequence) -> None:
        if sequence.in_prefill and sequence.computed >= CHUNK:
            self.met.add("preempted-in-chunked-prefill")
        self._preempted_now = True
        sequence.preemptions += 1
        if sequence.preemptions == 3:
            self.met.add("preempted-thrice")
        self._end(sequence)
        sequence.computed = 0
        self._waiting.appendleft(sequence)

    def _end(self, sequence: _Sequence) -> None:
        self._running.remove(sequence)
        for block in sequence.blocks:
            self._references[block] -= 1
            if not self._references[block] and block not in self._key_of:
                self._free.append(block)
        sequence.blocks = []

    def _inspect_batch(self) -> None:
        if len(self._running) < 2:
            return
        first = self._running[0].request.sampling
        for other in self._running[1:]:
            sampling = other.request.sampling
            if first.seed is not None and sampling.seed == first.seed and sampling.temperature != first.temperature:
                self.met.add("same-seed-other-temperature")
            if sampling.top_k == 37 and len(self._running) == BATCH:
                self.met.add("top-k-37-in-full-batch")


def run(trace: Trace) -> frozenset[str]:
    """Run a trace to its end (at most `MOST_STEPS` busy steps); the planted conditions that it met."""
    scheduler = Scheduler()
    prompts: dict[str, tuple[int, ...]] = {}
    pending = sorted(_schedule(trace), key=lambda event: event[0])
    clock = busy = position = 0
    while busy < MOST_STEPS and (position < len(pending) or not scheduler.idle):
        if scheduler.idle:
            clock = max(clock, pending[position][0])
        while position < len(pending) and pending[position][0] <= clock:
            _, arrival, is_abort = pending[position]
            if is_abort:
                scheduler.abort(arrival.request.id)
            else:
                _submit(scheduler, arrival, prompts)
            position += 1
        scheduler.step()
        clock += 1
        busy += 1
    return frozenset(scheduler.met)


def _schedule(trace: Trace) -> list[tuple[int, Arrival, bool]]:
    events = [(arrival.step, arrival, False) for arrival in trace.arrivals if arrival.defect is None]
    return events + [(arrival.abort, arrival, True) for arrival in trace.arrivals if arrival.abort is not None]


def _submit(scheduler: Scheduler, arrival: Arrival, prompts: dict[str, tuple[int, ...]]) -> None:
    request = arrival.request
    if arrival.follow is not None and arrival.follow.request_id in prompts:
        prompt = prompts[arrival.follow.request_id][: arrival.follow.keep] + request.prompt
        request = Request(id=request.id, prompt=prompt, sampling=request.sampling)
    prompts[request.id] = request.prompt
    scheduler.submit(request)
