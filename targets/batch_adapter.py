"""Give an engine that has only `generate(batch)` the submit / step / abort shape of the contract.

One step runs one batch to its end. An engine that takes one set of options for a whole batch names what must be equal
through `group`; requests of different groups never share a batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from targets.contract import Domain, FinishReason, Limits, Output, Request, RequestRejected, TokenLogprobs, Usage
from targets.domain import breaches


@dataclass(frozen=True)
class Completion:
    """One finished sample of a request, as `generate` returns it."""

    request_id: str
    token_ids: tuple[int, ...]
    text: str
    finish_reason: FinishReason
    index: int = 0
    stop_reason: str | int | None = None
    logprobs: tuple[TokenLogprobs, ...] = ()
    """One entry for each token when the request asked for them, otherwise empty."""
    prompt_logprobs: tuple[TokenLogprobs | None, ...] | None = None
    cached_tokens: int = 0


Generate = Callable[[Sequence[Request]], Sequence[Completion]]


class IncompleteBatch(Exception):  # noqa: N818 - says what the engine returned
    """The engine's `generate` did not return exactly one completion for each sample of each request."""


class BatchExecutor:
    """Queues requests and runs them in batches of up to `max_batch` requests, in order of arrival.

    When `generate` raises, the error leaves `step` and the requests of that batch are dropped; others stay queued.
    """

    def __init__(
        self,
        generate: Generate,
        *,
        domain: Domain,
        limits: Limits,
        max_batch: int = 8,
        group: Callable[[Request], Hashable] = lambda _: None,
    ) -> None:
        self._generate = generate
        self._domain = domain
        self._limits = limits
        self._max_batch = max_batch
        self._group = group
        self._waiting: dict[str, Request] = {}
        self._aborted: dict[str, Request] = {}

    def submit(self, request: Request) -> None:
        """Queue a request. Raises `RequestRejected` outside the documented domain, or when its id is in use."""
        admit(request, self._domain, self._limits, self._waiting.keys() | self._aborted.keys())
        self._waiting[request.id] = request

    def step(self) -> list[Output]:
        """Run the next batch to its end. Raises `IncompleteBatch` when the engine leaves a sample out."""
        events = [event for request in self._aborted.values() for event in abort_events(request)]
        self._aborted.clear()
        batch = self._next_batch()
        if not batch:
            return events
        completions = self._generate(batch)
        _check_complete(batch, completions)
        requests = {request.id: request for request in batch}
        for completion in completions:
            events += completion_events(requests[completion.request_id], completion)
        return events

    def abort(self, request_id: str) -> None:
        """Take a waiting request out of the queue; its abort events come with the next step."""
        request = self._waiting.pop(request_id, None)
        if request is not None:
            self._aborted[request_id] = request

    def close(self) -> None:
        """Forget what is queued."""
        self._waiting.clear()
        self._aborted.clear()

    def _next_batch(self) -> list[Request]:
        batch: list[Request] = []
        group: Hashable = None
        for request in self._waiting.values():
            if not batch:
                group = self._group(request)
            elif self._group(request) != group:
                continue
            batch.append(request)
            if len(batch) == self._max_batch:
                break
        for request in batch:
            del self._waiting[request.id]
        return batch


def admit(request: Request, domain: Domain, limits: Limits, in_use: frozenset[str] | set[str]) -> None:
    """Raise `RequestRejected` for the first breach of the domain, or for an id that is in use."""
    for breach in breaches(request, domain, limits):
        raise RequestRejected(breach.field, breach.value, breach.allowed)
    if request.id in in_use:
        raise RequestRejected("id", request.id, "an id that no queued or running request has")


def abort_events(request: Request, finished: Sequence[int] = (), completed: int = 0) -> list[Output]:
    """One abort event for each sample that is not in `finished`; `completed` counts the tokens of a single sample."""
    usage = Usage(prompt_tokens=len(request.prompt), completion_tokens=completed)
    return [
        Output(request_id=request.id, index=index, finish_reason=FinishReason.ABORT, usage=usage)
        for index in range(request.sampling.n)
        if index not in finished
    ]


def completion_events(request: Request, completion: Completion) -> list[Output]:
    """One event for each token; the last one carries the whole text, the finish reason and the usage."""
    events = [
        Output(
            request_id=request.id,
            index=completion.index,
            token_id=token,
            logprobs=completion.logprobs[position] if completion.logprobs else None,
        )
        for position, token in enumerate(completion.token_ids)
    ] or [Output(request_id=request.id, index=completion.index)]
    if completion.index == 0:
        events[0] = replace(events[0], prompt_logprobs=completion.prompt_logprobs)
    events[-1] = replace(
        events[-1],
        text=completion.text,
        finish_reason=completion.finish_reason,
        stop_reason=completion.stop_reason,
        usage=Usage(
            prompt_tokens=len(request.prompt),
            completion_tokens=len(completion.token_ids),
            cached_tokens=completion.cached_tokens,
        ),
    )
    return events


def _check_complete(batch: Sequence[Request], completions: Sequence[Completion]) -> None:
    expected = Counter((request.id, index) for request in batch for index in range(request.sampling.n))
    returned = Counter((completion.request_id, completion.index) for completion in completions)
    for sample in expected - returned:
        raise IncompleteBatch(f"generate returned no completion for sample {sample[1]} of request {sample[0]!r}.")
    for sample in returned - expected:
        raise IncompleteBatch(f"generate returned sample {sample[1]} of request {sample[0]!r} that was not asked for.")
