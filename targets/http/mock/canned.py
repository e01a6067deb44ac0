"""An executor that says what the script says: one word a token, no model."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from targets.contract import FinishReason, Limits, Output, Request, RequestRejected, Usage
from targets.domain import DEFAULT_DOMAIN, breaches
from targets.http.mock.script import MockScript, reply_for

LIMITS = Limits(vocab_size=2**20, context_length=2**17, max_logprobs=0, max_samples=16)
_WORD = re.compile(r"\s*\S+|\s+")


@dataclass
class _Running:
    request: Request
    index: int
    words: tuple[str, ...]
    ends_with: FinishReason
    stop_reason: str | None
    said: int = 0


class CannedExecutor:
    """Answers each prompt by the script in force when it arrives."""

    def __init__(self, script: Callable[[], MockScript]) -> None:
        self._script = script
        self._ids: dict[str, int] = {}
        self._words: list[str] = []
        self._running: list[_Running] = []
        self._aborted: list[Output] = []

    def submit(self, request: Request) -> None:
        """Queue a request. Raises `RequestRejected`."""
        if found := breaches(request, DEFAULT_DOMAIN, LIMITS):
            raise RequestRejected(found[0].field, found[0].value, found[0].allowed)
        text, stop_reason = _stopped(reply_for(self._script(), self.detokenize(request.prompt)), request.sampling.stop)
        words = tuple(_WORD.findall(text))
        limit = request.sampling.max_tokens
        ends_with = FinishReason.LENGTH if len(words) > limit else FinishReason.STOP
        for index in range(request.sampling.n):
            reason = stop_reason if ends_with is FinishReason.STOP else None
            self._running.append(_Running(request, index, words[:limit], ends_with, reason))

    def step(self) -> Sequence[Output]:
        """One word of every answer."""
        events, self._aborted = self._aborted, []
        if self._running and (delay := self._script().token_delay):
            time.sleep(delay)
        events += [self._advance(running) for running in self._running]
        self._running = [running for running in self._running if running.said <= len(running.words)]
        return events

    def abort(self, request_id: str) -> None:
        """End a request; unknown ids are ignored."""
        for running in [one for one in self._running if one.request.id == request_id]:
            self._running.remove(running)
            self._aborted.append(
                Output(
                    request_id=request_id, index=running.index, finish_reason=FinishReason.ABORT, usage=_usage(running)
                )
            )

    def close(self) -> None:
        """Drop all requests."""
        self._running.clear()

    def tokenize(self, text: str) -> tuple[int, ...]:
        """One id for each word with the space before it. Raises `RequestRejected` for lone surrogates."""
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise RequestRejected("text", text[error.start : error.end], "text without lone surrogates") from None
        return tuple(self._id(word) for word in _WORD.findall(text))

    def detokenize(self, token_ids: Sequence[int]) -> str:
        """The words of the ids; unknown ids have no text."""
        return "".join(self._words[token] for token in token_ids if token < len(self._words))

    def _id(self, word: str) -> int:
        if word not in self._ids:
            self._ids[word] = len(self._words)
            self._words.append(word)
        return self._ids[word]

    def _advance(self, running: _Running) -> Output:
        position = running.said
        running.said += 1
        name = running.request.id
        if position < len(running.words):
            word = running.words[position]
            return Output(request_id=name, index=running.index, token_id=self._id(word), text=word)
        return Output(
            request_id=name,
            index=running.index,
            finish_reason=running.ends_with,
            stop_reason=running.stop_reason,
            usage=_usage(running),
        )


def _usage(running: _Running) -> Usage:
    said = min(running.said, len(running.words))
    return Usage(prompt_tokens=len(running.request.prompt), completion_tokens=said)


def _stopped(text: str, stops: tuple[str, ...]) -> tuple[str, str | None]:
    """The text up to the earliest stop string, and which one that is."""
    places = sorted((text.find(stop), stop) for stop in stops if stop in text)
    return (text[: places[0][0]], places[0][1]) if places else (text, None)
