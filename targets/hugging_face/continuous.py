"""An executor over the library's continuous batching: paged cache, prefix sharing, chunked prefill, forked samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers.generation.continuous_batching.requests import RequestStatus

from targets.batch_adapter import abort_events, admit
from targets.contract import (
    Domain,
    FinishReason,
    Limits,
    Output,
    Request,
    Resources,
    TokenLogprobs,
    Usage,
)
from targets.hugging_face import tokenizer as text
from targets.hugging_face.engine import Engine, EngineSettings, Iteration
from targets.hugging_face.generate_options import end_token_ids
from targets.hugging_face.scoring import full_logits, use_attention
from targets.hugging_face.tiny_llama import LoadedModel

_CHILD = "__child#"


@dataclass
class _Sample:
    """What was told of one sample so far."""

    stream: text.TextStream
    tokens: list[int] = field(default_factory=list)
    finished: bool = False


@dataclass
class _Running:
    """A request between `submit` and its last event. The library knows it by a name that is never used again."""

    request: Request
    name: str
    engine: Engine
    samples: list[_Sample]
    cached_tokens: int | None = None


class ContinuousExecutor:
    """Continuous batching behind the executor contract.

    Greedy and sampled requests run in an engine each, as the library fixes that for an engine; a step runs one
    iteration of every busy engine.
    """

    def __init__(self, loaded: LoadedModel, settings: EngineSettings, domain: Domain, limits: Limits) -> None:
        self._loaded = loaded
        self._settings = settings
        self._domain = domain
        self._limits = limits
        self._engines = {sampling: Engine(loaded.model, settings, sampling=sampling) for sampling in (False, True)}
        self._running: dict[str, _Running] = {}
        self._aborted: dict[str, _Running] = {}
        self._count = 0

    def submit(self, request: Request) -> None:
        """Queue a request. Raises `RequestRejected` outside the documented domain, or when its id is in use."""
        admit(request, self._domain, self._limits, self._running.keys() | self._aborted.keys())
        engine = self._engines[request.sampling.temperature > 0]
        self._count += 1
        samples = [_Sample(text.TextStream(self._loaded.tokenizer)) for _ in range(request.sampling.n)]
        running = _Running(request, f"request-{self._count}", engine, samples)
        engine.add(running.name, request.prompt, request.sampling)
        self._running[request.id] = running

    def step(self) -> list[Output]:
        """Run one iteration of every busy engine."""
        events = [event for running in self._aborted.values() for event in _aborted(running)]
        self._aborted.clear()
        for engine in self._engines.values():
            if engine.busy():
                events += self._told(engine, engine.step())
        return events

    def abort(self, request_id: str) -> None:
        """Cancel a request; its abort events come with the next step."""
        running = self._running.pop(request_id, None)
        if running is None:
            return
        for index, sample in enumerate(running.samples):
            if not sample.finished:
                running.engine.cancel(_name(running, index))
        self._aborted[request_id] = running

    def close(self) -> None:
        """Release the block pools; the model stays loaded for other executors."""
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()
        self._running.clear()
        self._aborted.clear()

    def resources(self) -> Resources:
        """Blocks and queues of both engines together."""
        parts = [engine.resources() for engine in self._engines.values()]
        counts = [name for name in Resources.__struct_fields__ if name != "max_running"]
        return Resources(**{name: sum(getattr(part, name) for part in parts) for name in counts})

    def logits(self, token_ids: Sequence[int]) -> npt.NDArray[np.floating[Any]]:
        """Teacher-forced logits by one plain forward pass: float32 array `[len(token_ids), vocab_size]`."""
        use_attention(self._loaded.model, self._settings.attention)
        return full_logits(self._loaded.model, token_ids)

    def tokenize(self, content: str) -> tuple[int, ...]:
        """Token ids of a text. Raises `RequestRejected` for lone surrogates."""
        return text.encode(self._loaded.tokenizer, content)

    def detokenize(self, token_ids: Sequence[int]) -> str:
        """The text of a whole sequence."""
        return text.decode(self._loaded.tokenizer, token_ids)

    def _told(self, engine: Engine, iteration: Iteration) -> list[Output]:
        mine = {running.name: running for running in self._running.values() if running.engine is engine}
        for name, position in iteration.positions.items():
            if name in mine and mine[name].cached_tokens is None:
                mine[name].cached_tokens = position
        events: list[Output] = []
        for output in iteration.outputs:
            name, _, child = output.request_id.partition(_CHILD)
            if name in mine:
                events += _news(mine[name], int(child) + 1 if child else 0, output)
        for running in mine.values():
            if all(sample.finished for sample in running.samples):
                del self._running[running.request.id]
        if not events:
            # An iteration that only computed a part of a prompt, or nothing at all: the caller counts it.
            events = [_progress(running) for running in list(mine.values())[:1]]
        return events


def _news(running: _Running, index: int, output: Any) -> list[Output]:
    """Events for the tokens that `output` has beyond what was told of the sample."""
    sample = running.samples[index]
    first = len(sample.tokens)
    new = output.generated_tokens[first:]
    finished = output.status >= RequestStatus.FINISHED
    events = []
    for position, token in enumerate(new, first):
        last = finished and position == len(output.generated_tokens) - 1
        events.append(_token_event(running, index, token, output.logprobs[position], last))
    if output.error is not None or (finished and not new):
        events.append(_end_without_token(running, index, output))
    sample.finished = finished
    return events


def _progress(running: _Running) -> Output:
    index = next(index for index, sample in enumerate(running.samples) if not sample.finished)
    return Output(request_id=running.request.id, index=index)


def _token_event(running: _Running, index: int, token: int, logprob: float, last: bool) -> Output:
    sampling, sample = running.request.sampling, running.samples[index]
    sample.tokens.append(token)
    stopped = last and token in end_token_ids(sampling)
    shown = "" if stopped else sample.stream.push(token)
    return Output(
        request_id=running.request.id,
        index=index,
        token_id=token,
        text=shown + (sample.stream.finish() if last else ""),
        logprobs=None if sampling.logprobs is None else TokenLogprobs(logprob=logprob),
        finish_reason=(FinishReason.STOP if stopped else FinishReason.LENGTH) if last else None,
        stop_reason=token if stopped else None,
        usage=_usage(running, index) if last else None,
    )


def _end_without_token(running: _Running, index: int, output: Any) -> Output:
    return Output(
        request_id=running.request.id,
        index=index,
        text=running.samples[index].stream.finish(),
        finish_reason=FinishReason.ERROR,
        usage=_usage(running, index),
        error=output.error or "the engine ended the request without a token",
    )


def _aborted(running: _Running) -> list[Output]:
    finished = [index for index, sample in enumerate(running.samples) if sample.finished]
    return [
        Output(
            request_id=running.request.id,
            index=event.index,
            text=running.samples[event.index].stream.finish(),
            finish_reason=event.finish_reason,
            usage=_usage(running, event.index),
        )
        for event in abort_events(running.request, finished)
    ]


def _usage(running: _Running, index: int) -> Usage:
    return Usage(
        prompt_tokens=len(running.request.prompt),
        completion_tokens=len(running.samples[index].tokens),
        cached_tokens=running.cached_tokens or 0,
    )


def _name(running: _Running, index: int) -> str:
    return running.name if index == 0 else f"{running.name}{_CHILD}{index - 1}"
