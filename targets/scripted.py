"""A scripted executor: canned outputs, canned latency and faults at chosen moments, and no model.

A test double for people who test their own schedulers, servers and supervisors:

    script = Script(answers={"r1": (5, 6, 7)}, latency=(0.01,), faults=(FaultAt("sigsegv-c", request="r1", token=2),))
    executor = ScriptedExecutor(script)

It batches continuously: every step gives each running sample one token.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from targets import faults
from targets.batch_adapter import admit
from targets.contract import (
    Domain,
    FinishReason,
    Knob,
    Limits,
    Output,
    Request,
    RequestRejected,
    Resources,
    Target,
    Usage,
)
from targets.domain import DEFAULT_DOMAIN

END_OF_SEQUENCE = 0

LIMITS = Limits(
    vocab_size=256,
    context_length=4096,
    eos_token_ids=(END_OF_SEQUENCE,),
    special_token_ids=(0,),
    max_batch=8,
    max_samples=8,
)

DOMAIN = Domain(
    bounds=DEFAULT_DOMAIN.bounds,
    # Temperature and seed are accepted and change nothing: there is nothing to draw.
    supported=("max_tokens", "stop_token_ids", "ignore_eos", "n", "temperature", "seed"),
)


class FaultAt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A fault of `targets.faults` and when it is committed, in the executor's own process."""

    fault: str
    request: str | None = None
    """Id of a request: when it is submitted, or with `token` before that token (counted from 0) of it."""
    token: int | None = None
    step: int | None = None
    """In this call of `step`, counted from 0 over the executor's life; not together with `request`."""

    def __post_init__(self) -> None:
        if (self.request is None) == (self.step is None):
            raise ValueError(f"fault {self.fault!r} needs either a request or a step: {self!r}")
        faults.find(self.fault)


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a scripted executor answers, how slowly, and where it fails."""

    answers: dict[str, tuple[int, ...]] = {}
    """Request id to the token ids of every sample of it."""
    answer: tuple[int, ...] = (4, 8, 15, 16, 23, 42)
    """For all other requests. An answer starts over when it is shorter than `max_tokens`."""
    latency: tuple[float, ...] = ()
    """Seconds that each step takes; the last one counts for all later steps."""
    faults: tuple[FaultAt, ...] = ()


@dataclass
class _Sample:
    request: Request
    index: int
    answer: tuple[int, ...]
    tokens: list[int] = field(default_factory=list)


class ScriptedExecutor:
    """Implements `Executor`, `ReportsResources` (it has queues, and no blocks) and `Detokenizes`.

    The text of a token is its number and a space; the end-of-sequence token has none. Raises `ValueError` for an
    answer that is empty or has a token outside 0..255.
    """

    def __init__(self, script: Script, *, max_batch: int = 8) -> None:
        for name, answer in {**script.answers, "": script.answer}.items():
            if not answer or not all(0 <= token < LIMITS.vocab_size for token in answer):
                raise ValueError(f"answer {answer!r} of request {name!r}: one or more token ids in 0..255 are allowed")
        self._script = script
        self._max_batch = max_batch
        self._steps = 0
        self._samples: list[_Sample] = []
        self._aborted: list[Output] = []

    def submit(self, request: Request) -> None:
        """Queue a request. Raises `RequestRejected` outside `DOMAIN`, or when its id is in use."""
        in_use = {sample.request.id for sample in self._samples} | {event.request_id for event in self._aborted}
        admit(request, DOMAIN, LIMITS, in_use)
        self._commit(request.id, None, None)
        answer = self._script.answers.get(request.id, self._script.answer)
        self._samples += [_Sample(request, index, answer) for index in range(request.sampling.n)]

    def step(self) -> list[Output]:
        """One token for each of the first `max_batch` samples; empty only when nothing is queued."""
        if not self._samples and not self._aborted:
            return []
        number, self._steps = self._steps, self._steps + 1
        self._commit(None, None, number)
        self._take_time(number)
        events, self._aborted = self._aborted, []
        events += [self._advance(sample) for sample in self._samples[: self._max_batch]]
        ended = {(event.request_id, event.index) for event in events if event.finish_reason is not None}
        self._samples = [sample for sample in self._samples if (sample.request.id, sample.index) not in ended]
        return events

    def abort(self, request_id: str) -> None:
        """End a request; its abort events come with the next step."""
        for sample in [sample for sample in self._samples if sample.request.id == request_id]:
            self._samples.remove(sample)
            self._aborted.append(
                Output(
                    request_id=request_id, index=sample.index, finish_reason=FinishReason.ABORT, usage=_usage(sample)
                )
            )

    def close(self) -> None:
        """Forget what is queued."""
        self._samples.clear()
        self._aborted.clear()

    def resources(self) -> Resources:
        """Queue lengths in samples; there are no blocks."""
        running = min(len(self._samples), self._max_batch)
        return Resources(
            total_blocks=0, free_blocks=0, cached_blocks=0, running=running, waiting=len(self._samples) - running
        )

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Numbers in 1..255 separated by spaces. Raises `RequestRejected` for any other text."""
        try:
            tokens = tuple(int(word) for word in text.split())
        except ValueError:
            tokens = (-1,)
        if not all(0 < token < LIMITS.vocab_size for token in tokens):
            raise RequestRejected("text", text, "numbers in 1..255 separated by spaces")
        return tokens

    def detokenize(self, token_ids: Sequence[int]) -> str:
        """The numbers, each with a space after it."""
        return "".join(_text(token) for token in token_ids)

    def _advance(self, sample: _Sample) -> Output:
        request, position = sample.request, len(sample.tokens)
        if sample.index == 0:
            self._commit(request.id, position, None)
        token = sample.answer[position % len(sample.answer)]
        sample.tokens.append(token)
        stopped = token in request.sampling.stop_token_ids
        reason = _finish_reason(sample, stopped)
        return Output(
            request_id=request.id,
            index=sample.index,
            token_id=token,
            text="" if stopped else _text(token),
            finish_reason=reason,
            stop_reason=token if stopped else None,
            usage=_usage(sample) if reason is not None else None,
        )

    def _commit(self, request: str | None, token: int | None, step: int | None) -> None:
        for planned in self._script.faults:
            if (planned.request, planned.token, planned.step) == (request, token, step):
                faults.commit(planned.fault)

    def _take_time(self, number: int) -> None:
        latency = self._script.latency
        if latency:
            time.sleep(latency[min(number, len(latency) - 1)])


def _finish_reason(sample: _Sample, stopped: bool) -> FinishReason | None:
    sampling, token = sample.request.sampling, sample.tokens[-1]
    if stopped or (token == END_OF_SEQUENCE and not sampling.ignore_eos):
        return FinishReason.STOP
    return FinishReason.LENGTH if len(sample.tokens) == sampling.max_tokens else None


def _usage(sample: _Sample) -> Usage:
    return Usage(prompt_tokens=len(sample.request.prompt), completion_tokens=len(sample.tokens))


def _text(token: int) -> str:
    return "" if token == END_OF_SEQUENCE else f"{token} "


def scripted_target(script: Script, name: str = "scripted") -> Target:
    """A target whose executors follow the script; its model is the script itself."""
    return Target(
        name=name,
        summary="canned outputs, latencies and faults; no model",
        load=lambda _device, _dtype: script,
        open=ScriptedExecutor,
        limits=LIMITS,
        knobs=(Knob("max_batch", 8, (1, 2, 8), "samples that get a token in one step"),),
        domain=DOMAIN,
        modules=("targets.scripted",),
    )


TARGET = scripted_target(Script())
