"""How the two generating endpoints write their choices."""

from __future__ import annotations

from typing import Any

from targets.reference.server.generation import Part, Sample, ScoredToken


class Completion:
    """How `/v1/completions` writes its choices."""

    name = chunk_name = "text_completion"
    prefix = "cmpl"

    def __init__(self, echo: str) -> None:
        self._echo = echo

    def whole(self, index: int, sample: Sample, finish: str) -> dict[str, Any]:
        """A choice of a response at once."""
        text = self._echo + sample.text
        logprobs = _text_logprobs(sample.tokens, 0) if sample.tokens else None
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}

    def first(self, index: int) -> dict[str, Any] | None:
        """The chunk that opens a choice, if there is one."""
        return {"index": index, "text": self._echo, "logprobs": None, "finish_reason": None} if self._echo else None

    def delta(self, part: Part) -> dict[str, Any]:
        """The chunk of one event."""
        before = sum(len(token.text) for token in part.sample.tokens[:-1])
        logprobs = _text_logprobs([part.token], before) if part.token else None
        return {"index": part.choice, "text": part.text, "logprobs": logprobs, "finish_reason": None}

    def last(self, index: int, finish: str) -> dict[str, Any]:
        """The chunk that carries the finish reason."""
        return {"index": index, "text": "", "logprobs": None, "finish_reason": finish}


class Chat:
    """How `/v1/chat/completions` writes its choices."""

    name = "chat.completion"
    chunk_name = "chat.completion.chunk"
    prefix = "chatcmpl"

    def whole(self, index: int, sample: Sample, finish: str) -> dict[str, Any]:
        """A choice of a response at once."""
        message = {"role": "assistant", "content": sample.text}
        logprobs = _chat_logprobs(sample.tokens) if sample.tokens else None
        return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": finish}

    def first(self, index: int) -> dict[str, Any] | None:
        """The chunk that opens a choice, if there is one."""
        delta = {"role": "assistant", "content": ""}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def delta(self, part: Part) -> dict[str, Any]:
        """The chunk of one event."""
        logprobs = _chat_logprobs([part.token]) if part.token else None
        return {"index": part.choice, "delta": {"content": part.text}, "logprobs": logprobs, "finish_reason": None}

    def last(self, index: int, finish: str) -> dict[str, Any]:
        """The chunk that carries the finish reason."""
        return {"index": index, "delta": {}, "logprobs": None, "finish_reason": finish}


Shape = Completion | Chat


def _text_logprobs(tokens: list[ScoredToken], before: int) -> dict[str, Any]:
    offsets = []
    for token in tokens:
        offsets.append(before)
        before += len(token.text)
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [dict(token.top) for token in tokens],
        "text_offset": offsets,
    }


def _chat_logprobs(tokens: list[ScoredToken]) -> dict[str, Any]:
    content = []
    for token in tokens:
        top = [{"token": text, "logprob": logprob} for text, logprob in token.top]
        content.append({"token": token.text, "logprob": token.logprob, "top_logprobs": top})
    return {"content": content}
