"""From an API request to executor requests, and from their events to samples."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.requests import Request as HttpRequest

from targets.contract import FinishReason, Limits, Output, Request, RequestRejected, SamplingParams
from targets.reference.faults import FaultInjector, RequestFailed
from targets.reference.server.engine import EngineThread
from targets.reference.server.errors import ApiError, of_rejection

_LOWEST = -9999.0
"""Stands for a log-probability of minus infinity, which JSON does not have."""


class ScoredToken(NamedTuple):
    """A token's text, its log-probability, and the best alternatives."""

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...]


@dataclass
class Sample:
    """What one sample came to."""

    text: str = ""
    finish_reason: FinishReason | None = None
    stop_reason: str | int | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens: list[ScoredToken] = field(default_factory=list)


class Part(NamedTuple):
    """One event of one choice: text and token of it, and whether it is the last."""

    choice: int
    text: str
    token: ScoredToken | None
    sample: Sample
    is_last: bool


class Generation:
    """The executor requests of one API request: a request for each prompt, `n` choices of each."""

    def __init__(
        self,
        engine: EngineThread,
        prompts: Sequence[tuple[int, ...]],
        sampling: SamplingParams,
        faults: FaultInjector,
    ) -> None:
        self.choices = [Sample(prompt_tokens=len(prompt)) for prompt in prompts for _ in range(sampling.n)]
        self._engine = engine
        self._sampling = sampling
        self._faults = faults
        stem = secrets.token_hex(8)
        self._requests = [
            Request(id=f"{stem}-{number}", prompt=prompt, sampling=sampling) for number, prompt in enumerate(prompts)
        ]
        self._events: asyncio.Queue[Output] = asyncio.Queue()

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts, each counted once."""
        return sum(len(request.prompt) for request in self._requests)

    @property
    def completion_tokens(self) -> int:
        """Tokens of all choices."""
        return sum(sample.completion_tokens for sample in self.choices)

    async def start(self) -> None:
        """Submit all of it or, if one request is refused, none. Raises `ApiError`."""
        loop = asyncio.get_running_loop()

        def deliver(output: Output) -> None:
            loop.call_soon_threadsafe(self._events.put_nowait, output)

        try:
            for request in self._requests:
                await asyncio.wrap_future(self._engine.submit(request, deliver))
        except RequestRejected as rejected:
            self.abort()
            raise of_rejection(rejected) from None

    def abort(self) -> None:
        """End whatever still runs."""
        for request in self._requests:
            self._engine.abort(request.id)

    async def parts(self) -> AsyncGenerator[Part, None]:
        """Every event until all choices have ended; leaving early aborts the rest. Raises `ApiError`."""
        numbers = {request.id: number for number, request in enumerate(self._requests)}
        unfinished = len(self.choices)
        try:
            while unfinished:
                output = await self._events.get()
                if output.finish_reason is FinishReason.ERROR:
                    raise ApiError(500, output.error or "generation failed")
                part = self._part(numbers[output.request_id] * self._sampling.n + output.index, output)
                unfinished -= part.is_last
                yield part
        except RequestFailed as failed:
            raise ApiError(500, str(failed)) from None
        finally:
            if unfinished:
                self.abort()

    async def finish(self) -> list[Sample]:
        """All choices when they have ended. Raises `ApiError`."""
        async for _ in self.parts():
            pass
        return self.choices

    def _part(self, choice: int, output: Output) -> Part:
        self._faults.check("render")
        sample = self.choices[choice]
        sample.text += output.text
        sample.finish_reason, sample.stop_reason = output.finish_reason, output.stop_reason
        sample.completion_tokens += output.token_id is not None
        scored = self._scored(output)
        if scored:
            sample.tokens.append(scored)
        return Part(choice, output.text, scored, sample, output.finish_reason is not None)

    def _scored(self, output: Output) -> ScoredToken | None:
        if output.logprobs is None or output.token_id is None:
            return None
        top = tuple((self._engine.token_text(token), _finite(number)) for token, number in output.logprobs.top)
        return ScoredToken(self._engine.token_text(output.token_id), _finite(output.logprobs.logprob), top)


async def while_connected(request: HttpRequest, generation: Generation) -> list[Sample]:
    """All choices, or `asyncio.CancelledError` as soon as the client has gone."""
    work = asyncio.ensure_future(generation.finish())
    gone = asyncio.ensure_future(_disconnected(request))
    await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        raise ApiError(499, "the client has gone")
    gone.cancel()
    return work.result()


async def _disconnected(request: HttpRequest) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def room(limits: Limits, prompts: Sequence[tuple[int, ...]]) -> int:
    """Tokens that fit behind the longest prompt; at least 1, so that the executor says what is wrong."""
    return max(1, limits.context_length - max(map(len, prompts), default=0))


def _finite(number: float) -> float:
    return max(number, _LOWEST)
