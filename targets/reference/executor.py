"""The reference executor: submit, step, abort over a scheduler, a block pool and a model."""

from __future__ import annotations

from collections.abc import Sequence as Tokens
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt

from targets.contract import (
    FaultPoint,
    FinishReason,
    Limits,
    Output,
    Request,
    RequestRejected,
    Resources,
)
from targets.reference.admission import admit
from targets.reference.faults import FaultInjector, RequestFailed
from targets.reference.forks import forked_group, place
from targets.reference.memory.blocks import BlockPool
from targets.reference.memory.prefix_cache import PrefixCache
from targets.reference.model.batch import LanguageModel, Piece, flatten
from targets.reference.sampling.draws import uniform
from targets.reference.sampling.logprobs import token_logprobs
from targets.reference.sampling.penalties import has_penalties, process
from targets.reference.sampling.sampler import choose
from targets.reference.schedule.rows import collect_prompt_logprobs, wanted_rows
from targets.reference.schedule.scheduler import Scheduler, Work
from targets.reference.schedule.sequence import Group, Sequence, sequences_of
from targets.reference.settings import EngineSettings
from targets.reference.text import tokenizer

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


STATE = ("_cache", "_pool", "_scheduler", "_groups", "_pending", "_arrivals")
"""Attributes that steps change. The pool and the scheduler hold the prefix cache between them."""


class ReferenceExecutor:
    """One engine over a loaded model, with an empty cache and its own queues."""

    def __init__(self, model: LanguageModel, limits: Limits, settings: EngineSettings, faults: FaultInjector) -> None:
        self._model = model
        self._limits = limits
        self._settings = settings
        self._cache = model.new_cache(settings.total_blocks * settings.block_size)
        prefixes = PrefixCache()
        self._pool = BlockPool(settings.total_blocks, prefixes, self._poison if settings.poison else None)
        self._scheduler = Scheduler(settings, self._pool, prefixes, faults)
        self._faults = faults
        self._groups: dict[str, Group] = {}
        self._pending: list[Output] = []
        self._arrivals = 0
        if settings.poison:
            model.poison(self._cache, 0, settings.total_blocks * settings.block_size)

    def submit(self, request: Request) -> None:
        """Queue a request. Raises `RequestRejected`."""
        admit(request, self._limits, self._settings)
        if request.id in self._groups:
            raise RequestRejected("id", request.id, "an id that is not in use")
        sampling = request.sampling
        self._arrivals += 1
        group = Group(
            request=request,
            arrival=self._arrivals,
            # Without a seed the request gets one of its own, so that equal requests differ.
            seed=-self._arrivals if sampling.seed is None else sampling.seed,
            adapter=0 if request.adapter is None else self._model.adapters.index(request.adapter) + 1,
        )
        group.sequences.extend(sequences_of(group, self._limits.vocab_size, has_penalties(sampling)))
        self._groups[request.id] = group
        for sequence in group.sequences:
            self._scheduler.add(sequence)

    def step(self) -> list[Output]:
        """Run one scheduler iteration and return its events, those of aborts first."""
        events, self._pending = self._pending, []
        work = self._scheduler.schedule()
        self._report_failed(events)
        if work:
            self._run(work, events)
        self._forget_finished(events)
        if work and not events:
            events.append(Output(request_id=work[0].sequence.group.request.id, index=work[0].sequence.index))
        return events

    def abort(self, request_id: str) -> None:
        """End the samples of a request that still run or wait; their events come with the next step."""
        group = self._groups.get(request_id)
        for sequence in group.sequences if group else ():
            if sequence.finish_reason is None:
                self._pending.append(self._end(sequence, FinishReason.ABORT))
                self._scheduler.remove(sequence)

    def fork(self, request_id: str, fork_id: str, seed: int | None = None) -> None:
        """Continue a request a second time. Raises `RequestRejected` for unknown requests and ids in use."""
        group = self._groups.get(request_id)
        if group is None:
            raise RequestRejected("request_id", request_id, "the id of a request that waits or runs")
        if fork_id in self._groups:
            raise RequestRejected("fork_id", fork_id, "an id that is not in use")
        self._arrivals += 1
        twins = forked_group(group, fork_id, self._arrivals, seed)
        self._groups[fork_id] = twins
        for sequence, twin in zip(group.sequences, twins.sequences, strict=True):
            if twin.finish_reason is None:
                place(sequence, twin, self._scheduler, self._pool, self._settings, self._copy_block)

    def save(self) -> object:
        """A copy of everything that steps change."""
        return self._copied({name: getattr(self, name) for name in STATE})

    def restore(self, state: object) -> None:
        """Go back to a saved state."""
        vars(self).update(self._copied(state))

    def _copied(self, state: Any) -> Any:
        # The engine itself, its model and its injector are no part of the state that refers to them.
        return deepcopy(state, {id(self): self, id(self._faults): self._faults})

    def _copy_block(self, source: int, target: int) -> None:
        size = self._settings.block_size
        self._model.copy(self._cache, source * size, target * size, size)

    def close(self) -> None:
        """Drop all requests."""
        for request_id in list(self._groups):
            self.abort(request_id)
        self._groups.clear()
        self._pending.clear()

    def resources(self) -> Resources:
        """Blocks and queues between two steps; samples count one by one."""
        return Resources(
            total_blocks=self._pool.total,
            free_blocks=self._pool.free,
            cached_blocks=self._pool.available - self._pool.free,
            running=len(self._scheduler.running),
            waiting=len(self._scheduler.waiting),
            max_running=self._settings.max_batch,
        )

    def fault_points(self) -> dict[str, int]:
        """Points at which a fault can be injected, and how often each was passed."""
        return self._faults.passed

    def inject(self, fault: FaultPoint | None) -> None:
        """Let one pass fail, or no longer. Raises `UsageError` for an unknown point."""
        self._faults.arm(fault)

    def logits(self, token_ids: Tokens[int]) -> npt.NDArray[np.floating[Any]]:
        """Float32 [len, vocab] of one pass over a fresh cache. Raises `RequestRejected` for unknown ids or too many."""
        _check_tokens(token_ids, self._limits)
        if len(token_ids) == 0:
            return np.zeros((0, self._limits.vocab_size), dtype=np.float32)
        whole = Piece(tokens=token_ids, start=0, blocks=(0,), adapter=0)
        batch = flatten([whole], range(len(token_ids)), block_size=len(token_ids))
        return self._model.forward(batch, self._model.new_cache(len(token_ids)), self._settings.compiled)

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Token ids of a text. Raises `RequestRejected` for lone surrogates."""
        return tokenizer.encode(text)

    def detokenize(self, token_ids: Tokens[int]) -> str:
        """The text of a whole sequence. Raises `RequestRejected` for unknown ids."""
        _check_ids(token_ids, self._limits)
        return tokenizer.decode(token_ids)

    def _run(self, work: list[Work], events: list[Output]) -> None:
        """Compute the step, then choose the next token wherever everything before it is known."""
        rows, offsets = wanted_rows(work)
        pieces = [
            Piece(item.tokens, item.sequence.computed, item.sequence.blocks, item.sequence.group.adapter)
            for item in work
        ]
        batch = flatten(pieces, rows, self._settings.block_size)
        self._faults.delay("device-slow")
        logits = self._model.forward(batch, self._cache, self._settings.compiled).astype(np.float64)
        ready = [(item, offset + item.known - 1) for item, offset in zip(work, offsets, strict=True) if item.completes]
        for item, offset in zip(work, offsets, strict=True):
            if item.sequence.prompt_logprobs is not None:
                collect_prompt_logprobs(item, logits[offset : offset + item.known])
            item.sequence.computed += item.known
        self._choose_tokens(ready, logits, events)
        for item in work:
            self._settle(item.sequence)

    def _choose_tokens(self, ready: list[tuple[Work, int]], logits: Floats, events: list[Output]) -> None:
        """One token for every sequence, then one more wherever a draft was confirmed."""
        depth = 0
        while ready:
            rows = logits[[row + depth for _, row in ready]]
            self._faults.spoil("logits", rows)
            tokens = self._sample([item.sequence for item, _ in ready], rows)
            confirmed = []
            for (item, row), token, raw in zip(ready, tokens, rows, strict=True):
                events.append(self._advance_or_fail(item.sequence, token, raw))
                if item.confirms(depth, token):
                    item.sequence.computed += 1
                    confirmed.append((item, row))
            ready = confirmed
            depth += 1

    def _sample(self, sequences: list[Sequence], raw: Floats) -> list[int | None]:
        """The next token of each sequence; None where the logits allow none. `raw`: [rows, vocab], left unchanged."""
        logits = raw.copy()
        params = [sequence.sampling for sequence in sequences]
        for row, sequence in zip(logits, sequences, strict=True):
            ends = self._limits.eos_token_ids
            process(row, sequence.sampling, sequence.history, ends, sequence.generated, sequence.constraint)
        usable: Booleans = np.logical_and(np.isfinite(raw).all(axis=-1), (logits > -np.inf).any(axis=-1))
        logits[~usable] = 0.0
        uniforms = [uniform(sequence.group.seed, sequence.index, sequence.generated) for sequence in sequences]
        tokens = choose(logits, params, uniforms)
        return [token if fine else None for token, fine in zip(tokens, usable.tolist(), strict=True)]

    def _advance_or_fail(self, sequence: Sequence, token: int | None, raw: Floats) -> Output:
        """The event of the chosen token, or the error that ends the sequence in its place."""
        try:
            return self._advance(sequence, token, raw)
        except RequestFailed as failed:
            return self._end(sequence, FinishReason.ERROR, str(failed))

    def _advance(self, sequence: Sequence, token: int | None, raw: Floats) -> Output:
        """Append the chosen token and report it. `raw`: logits [vocab] before processing."""
        if token is None:
            return self._end(sequence, FinishReason.ERROR, _why_unusable(raw))
        # Before the token counts, so that a failure leaves the accounting as it was.
        self._faults.check("detokenize")
        sequence.append(token)
        text, reason, stop_reason = self._extend_text(sequence, token)
        sequence.finish_reason = reason
        wanted, prompt = sequence.sampling.logprobs, sequence.prompt_logprobs
        sequence.prompt_logprobs = None
        return Output(
            request_id=sequence.group.request.id,
            index=sequence.index,
            token_id=token,
            text=text,
            logprobs=None if wanted is None else token_logprobs(raw, token, wanted),
            prompt_logprobs=None if prompt is None else tuple(prompt),
            finish_reason=reason,
            stop_reason=stop_reason,
            usage=None if reason is None else sequence.usage,
        )

    def _extend_text(self, sequence: Sequence, token: int) -> tuple[str, FinishReason | None, str | int | None]:
        """Text that became final with a token, and whether and why it ends the sequence.

        A stop string wins over the length limit. The text of an end token is not shown.
        """
        if self._is_end_token(sequence, token):
            return sequence.rest_of_text(), FinishReason.STOP, sequence.scanner.matched or token
        text = sequence.scanner.push(sequence.detokenizer.push(token))
        if sequence.scanner.matched is None and sequence.generated == sequence.sampling.max_tokens:
            text += sequence.rest_of_text()
            if sequence.scanner.matched is None:
                return text, FinishReason.LENGTH, None
        if sequence.scanner.matched is not None:
            return text, FinishReason.STOP, sequence.scanner.matched
        return text, None, None

    def _is_end_token(self, sequence: Sequence, token: int) -> bool:
        sampling = sequence.sampling
        if token in self._limits.eos_token_ids and not sampling.ignore_eos:
            return True
        return token in sampling.stop_token_ids

    def _end(self, sequence: Sequence, reason: FinishReason, error: str = "") -> Output:
        """The last event of a sequence that ends without a token."""
        sequence.finish_reason = reason
        return Output(
            request_id=sequence.group.request.id,
            index=sequence.index,
            text=sequence.rest_of_text(),
            finish_reason=reason,
            usage=sequence.usage,
            error=error,
        )

    def _settle(self, sequence: Sequence) -> None:
        """Publish what was computed, unless it failed; a finished sequence gives its blocks back."""
        if sequence.finish_reason is not FinishReason.ERROR:
            self._scheduler.publish(sequence)
        if sequence.finish_reason is not None:
            self._scheduler.remove(sequence)

    def _report_failed(self, events: list[Output]) -> None:
        """End the sequences that the scheduler could not go on with; it has released them."""
        events += [self._end(sequence, FinishReason.ERROR, str(why)) for sequence, why in self._scheduler.failed]
        self._scheduler.failed.clear()

    def _forget_finished(self, events: list[Output]) -> None:
        """An id may be used again once the last event of its request is out."""
        for event in events:
            group = self._groups.get(event.request_id)
            if event.finish_reason is not None and group is not None and group.finished:
                del self._groups[event.request_id]

    def _poison(self, block: int) -> None:
        size = self._settings.block_size
        self._model.poison(self._cache, block * size, (block + 1) * size)


def _why_unusable(raw: Floats) -> str:
    if not np.isfinite(raw).all():
        return "the model's logits are not finite"
    return "every token is suppressed: min_tokens is not reached and all tokens are stop tokens"


def _check_tokens(token_ids: Tokens[int], limits: Limits) -> None:
    if len(token_ids) > limits.context_length:
        raise RequestRejected("token_ids", f"{len(token_ids)} tokens", f"at most {limits.context_length} tokens")
    _check_ids(token_ids, limits)


def _check_ids(token_ids: Tokens[int], limits: Limits) -> None:
    for position, token in enumerate(token_ids):
        if not 0 <= token < limits.vocab_size:
            raise RequestRejected(f"token_ids[{position}]", token, f"an integer in 0..{limits.vocab_size - 1}")
