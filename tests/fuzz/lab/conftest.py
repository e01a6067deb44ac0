"""A toy executor whose next token depends on all tokens before it, and labs on variants of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from fuzz.lab.lab import Lab
from targets.contract import (
    FinishReason,
    Knob,
    Limits,
    Output,
    Request,
    RequestRejected,
    Resources,
    SamplingParams,
    Target,
    Usage,
)
from targets.domain import DEFAULT_DOMAIN, breaches
from targets.trace import Arrival, Trace

LIMITS = Limits(vocab_size=50, context_length=64, eos_token_ids=(0,), block_size=4, max_logprobs=0)
TARGET = Target(
    name="toy",
    summary="one token a step for every request",
    load=lambda *_: None,
    open=lambda _model, **_knobs: Toy(),
    limits=LIMITS,
    knobs=(Knob("chunk_size", 4, (1, 4)),),
)


class Toy:
    """Greedy and deterministic: the next token is 1 + a checksum of the tokens so far. Text is a letter a token."""

    def __init__(self) -> None:
        self.running: dict[str, tuple[Request, list[int]]] = {}
        self.ended: list[Output] = []

    def submit(self, request: Request) -> None:
        for breach in breaches(request, DEFAULT_DOMAIN, LIMITS):
            raise RequestRejected(breach.field, breach.value, breach.allowed)
        self.running[request.id] = (request, [])

    def step(self) -> list[Output]:
        events, self.ended = self.ended, []
        events += [self.advance(*entry) for entry in list(self.running.values())]
        return events

    def advance(self, request: Request, tokens: list[int]) -> Output:
        token = self.choose([*request.prompt, *tokens])
        tokens.append(token)
        if len(tokens) < request.sampling.max_tokens:
            return Output(request_id=request.id, token_id=token, text=chr(96 + token % 26))
        del self.running[request.id]
        return Output(
            request_id=request.id,
            token_id=token,
            text=chr(96 + token % 26),
            finish_reason=FinishReason.LENGTH,
            usage=Usage(prompt_tokens=len(request.prompt), completion_tokens=len(tokens)),
        )

    def choose(self, tokens: Sequence[int]) -> int:
        return 1 + sum((place + 1) * token for place, token in enumerate(tokens)) % 49

    def abort(self, request_id: str) -> None:
        if request_id in self.running:
            del self.running[request_id]
            self.ended.append(Output(request_id=request_id, finish_reason=FinishReason.ABORT))

    def close(self) -> None:
        self.running.clear()

    def resources(self) -> Resources:
        held = len(self.running)
        return Resources(total_blocks=8, free_blocks=8 - held, cached_blocks=0, running=held, waiting=0)


class Scoring(Toy):
    """The toy with logits: its choice leads every other token by 1."""

    def logits(self, token_ids: Sequence[int]) -> Any:
        rows = np.zeros((len(token_ids), LIMITS.vocab_size), dtype=np.float32)
        for place in range(len(token_ids)):
            rows[place, self.choose(token_ids[: place + 1])] = 1.0
        return rows


@pytest.fixture
def toy() -> type[Toy]:
    """The class to derive broken executors from."""
    return Toy


@pytest.fixture
def scoring() -> type[Scoring]:
    """The same with logits."""
    return Scoring


@pytest.fixture
def make_lab() -> Callable[..., Lab]:
    """A lab on an executor class."""

    def make(kind: type[Any] = Toy, **changes: Any) -> Lab:
        return Lab(dataclasses.replace(TARGET, open=lambda _model, **_knobs: kind(), **changes))

    return make


@pytest.fixture
def make_request() -> Callable[..., Request]:
    """A greedy request of four tokens; keywords change its sampling."""

    def make(name: str = "r", prompt: tuple[int, ...] = (3, 1, 4), **options: Any) -> Request:
        sampling = SamplingParams(**{"temperature": 0.0, "max_tokens": 4, **options})
        return Request(id=name, prompt=prompt, sampling=sampling)

    return make


@pytest.fixture
def make_trace() -> Callable[..., Trace]:
    """A trace of requests (one a step) or arrivals."""

    def make(*parts: Request | Arrival, **knobs: Any) -> Trace:
        arrivals = (
            part if isinstance(part, Arrival) else Arrival(request=part, step=place) for place, part in enumerate(parts)
        )
        return Trace(arrivals=tuple(arrivals), knobs=knobs)

    return make
