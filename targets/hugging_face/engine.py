"""One engine of the library's continuous batching, driven one iteration at a time in the calling thread.

The library runs the same three calls (prepare, generate, update) in a loop of a thread of its own. Driving them here
gives every trace its exact steps, leaves no thread to join, and lets an engine error reach the caller as it is.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import queue
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from transformers import GenerationConfig
from transformers.generation import ContinuousBatchingConfig

from targets.contract import Resources, SamplingParams
from targets.hugging_face.generate_options import end_token_ids
from targets.hugging_face.scoring import use_attention
from targets.hugging_face.tokenizer import PAD_ID, VOCAB_SIZE


@dataclass(frozen=True)
class EngineSettings:
    """Knobs of continuous batching; none of them may change a result."""

    block_size: int = 8
    total_blocks: int = 64
    chunk_size: int = 32
    """Tokens in one forward pass, of prompts and of running requests together."""
    max_batch: int = 8
    prefix_cache: bool = True
    scheduler: str = "fifo"
    attention: str = "sdpa"


@dataclass(frozen=True)
class Iteration:
    """What one scheduler iteration did."""

    outputs: tuple[Any, ...]
    """The library's `GenerationOutput`s; each repeats all tokens of its request so far."""
    positions: dict[str, int]
    """Each request of the batch to its position before; in its first batch these tokens came from the prefix cache."""


class Engine:
    """Greedy or sampling: the library fixes that for all requests of an engine."""

    def __init__(self, model: Any, settings: EngineSettings, *, sampling: bool) -> None:
        self._model = model
        self._attention = "paged|eager" if settings.attention == "eager" else settings.attention
        self._sampling = sampling
        # Set before the engine sees the model: it would switch to a paged implementation by itself, and back on close.
        use_attention(model, self._attention)
        self._manager = model.init_continuous_batching(
            generation_config=_generation_config(sampling), continuous_batching_config=_engine_config(settings)
        )
        # Makes the scheduler and the block pool; runs no forward pass without graphs or compilation.
        self._manager.warmup()
        self._processor = self._manager.batch_processor

    def add(self, name: str, prompt: tuple[int, ...], sampling: SamplingParams) -> None:
        """Queue a request. The first sample keeps its name, the others get the library's `__child#` names."""
        options = _sampling_options(sampling) if self._sampling else {}
        self._manager.num_return_sequences = sampling.n
        self._manager.add_request(
            list(prompt),
            request_id=name,
            max_new_tokens=sampling.max_tokens,
            streaming=True,
            eos_token_id=list(end_token_ids(sampling)) or -1,
            **options,
        )

    def cancel(self, name: str) -> None:
        """End a request of that name, waiting or running; takes effect in the next step."""
        self._manager.cancel_request(name)

    def busy(self) -> bool:
        """Whether anything is queued, waiting or running."""
        return not self._manager.input_queue.empty() or self._processor.has_pending_requests()

    def step(self) -> Iteration:
        """One scheduler iteration."""
        use_attention(self._model, self._attention)
        positions: dict[str, int] = {}
        if self._processor.prepare_next_batch():
            batch = self._processor.inputs_and_outputs.requests_in_batch
            # The library has already moved the position to the end of what this batch computes.
            positions = {entry.state.request_id: entry.state.position_offset - entry.query_length for entry in batch}
            self._processor._generation_step(self._model)
            self._processor.update_batch()
        return Iteration(tuple(_drained(self._manager.output_router.output_queue)), positions)

    def resources(self) -> Resources:
        """Blocks of the pool and lengths of the queues."""
        cache, scheduler = self._processor.cache, self._processor.scheduler
        (allocator,) = cache.cache_allocators.values()
        unassigned = cache.pool.num_free_sectors * allocator.blocks_per_sector
        return Resources(
            total_blocks=allocator.num_blocks,
            free_blocks=unassigned + cache.pool.count_free_blocks(allocator.index),
            cached_blocks=len(allocator.ledger.cached_blocks),
            running=len(scheduler.active_requests),
            waiting=len(scheduler.waiting_requests) + self._manager.input_queue.qsize(),
        )

    def close(self) -> None:
        """Release the block pool. No thread was started, so none is joined."""
        self._manager.destroy()
        with _cheap_collection():
            self._manager.batch_processor = None
            self._processor = None


def _generation_config(sampling: bool) -> Any:
    if not sampling:
        return GenerationConfig(do_sample=False, eos_token_id=-1, pad_token_id=PAD_ID)
    # Only what differs from neutral here can be chosen by a request, which then always brings its own values.
    return GenerationConfig(
        do_sample=True, temperature=0.5, top_k=VOCAB_SIZE, top_p=0.5, eos_token_id=-1, pad_token_id=PAD_ID
    )


def _engine_config(settings: EngineSettings) -> Any:
    # The pool is sized here because the library's default takes most of the machine's memory.
    return ContinuousBatchingConfig(
        page_size=settings.block_size,
        num_blocks=settings.total_blocks,
        max_batch_tokens=settings.chunk_size,
        max_requests_per_batch=settings.max_batch,
        allow_block_sharing=settings.prefix_cache,
        scheduler_type=settings.scheduler,
        return_logprobs=True,
        per_request_processors=True,
        auto_switch_to_flash=False,
        use_cuda_graph=False,
        use_async_batching=False,
    )


def _sampling_options(sampling: SamplingParams) -> dict[str, Any]:
    # The library has no "off" for a request: all tokens are kept by asking for the whole vocabulary.
    top_k = min(sampling.top_k, VOCAB_SIZE) or VOCAB_SIZE
    return {"temperature": float(sampling.temperature), "top_k": top_k, "top_p": float(sampling.top_p)}


@contextlib.contextmanager
def _cheap_collection() -> Iterator[None]:
    """Dropping a batch processor runs a full garbage collection, 0.3 s over the objects of torch unless frozen."""
    if _keeps_frozen(os.getpid()):
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@functools.cache
def _keeps_frozen(process: int) -> bool:  # noqa: ARG001 - asked once in each process, since counting takes 40 ms
    """Whether the process froze its objects itself (to fork cheaply). Then what the model added is frozen with them."""
    if not gc.get_freeze_count():
        return False
    gc.collect()
    gc.freeze()
    return True


def _drained(outputs: queue.Queue[Any]) -> Iterator[Any]:
    while True:
        try:
            yield outputs.get_nowait()
        except queue.Empty:
            return
