"""From request bodies of the OpenAI dialect to token ids and sampling parameters."""

from __future__ import annotations

import re
from typing import Any

from targets.contract import SamplingParams
from targets.reference.server.errors import invalid
from targets.reference.server.front_end import FrontEnd, prompt_of
from targets.reference.server.generation import room
from targets.reference.server.openai.types import ChatBody, CompletionBody, Sampling

Tokens = tuple[int, ...]
_TOKEN_ID = re.compile(r"0|[1-9][0-9]{0,9}")
_COMPLETION_TOKENS = 16
"""Default of `max_tokens` on `/v1/completions`."""


def token_lists(front_end: FrontEnd, value: str | list[Any], field: str) -> list[Tokens]:
    """A text, texts, token ids, or lists of token ids: one prompt each. Raises `ApiError`."""
    if isinstance(value, str):
        return [front_end.tokenize(value, field)]
    if all(isinstance(item, str) and item for item in value):
        return [front_end.tokenize(item, f"{field}[{index}]") for index, item in enumerate(value)]
    if all(_is_token(front_end, item) for item in value):
        return [tuple(value)]
    if all(isinstance(item, list) and item and all(_is_token(front_end, token) for token in item) for item in value):
        return [tuple(item) for item in value]
    allowed = f"a text, a list of texts, token ids in 0..{front_end.limits.vocab_size - 1}, or lists of token ids"
    raise invalid(f"{field} must be {allowed}, not empty", field)


def completion_sampling(front_end: FrontEnd, body: CompletionBody) -> SamplingParams:
    """Sampling parameters of `/v1/completions`. Raises `ApiError`."""
    if body.echo and body.logprobs is not None:
        raise invalid("echo with logprobs is not supported", "echo")
    return _sampling(front_end, body, body.max_tokens or _COMPLETION_TOKENS, body.logprobs)


def chat_prompt(body: ChatBody) -> str:
    """The messages as one text."""
    texts = []
    for message in body.messages:
        content = message.content
        text = content if isinstance(content, str) else "".join(part.text for part in content)
        texts.append((message.role, text))
    return prompt_of(texts)


def chat_sampling(front_end: FrontEnd, body: ChatBody, prompt: Tokens) -> SamplingParams:
    """Sampling parameters of `/v1/chat/completions`; without a limit the answer may fill the context."""
    if body.top_logprobs is not None and not body.logprobs:
        raise invalid("top_logprobs needs logprobs: true", "top_logprobs")
    if body.max_tokens and body.max_completion_tokens:
        raise invalid("max_tokens and max_completion_tokens exclude each other", "max_tokens")
    limit = body.max_tokens or body.max_completion_tokens or room(front_end.limits, [prompt])
    return _sampling(front_end, body, limit, (body.top_logprobs or 0) if body.logprobs else None)


def _sampling(front_end: FrontEnd, body: Sampling, max_tokens: int, logprobs: int | None) -> SamplingParams:
    if body.stream_options is not None and not body.stream:
        raise invalid("stream_options needs stream: true", "stream_options")
    stop = body.stop or ()
    return SamplingParams(
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        n=1 if body.n is None else body.n,
        max_tokens=max_tokens,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        presence_penalty=body.presence_penalty or 0.0,
        frequency_penalty=body.frequency_penalty or 0.0,
        logit_bias=_logit_bias(front_end, body.logit_bias or {}),
        seed=body.seed,
        logprobs=logprobs,
    )


def _logit_bias(front_end: FrontEnd, found: dict[str, float]) -> dict[int, float]:
    for key in found:
        if not _TOKEN_ID.fullmatch(key) or int(key) >= front_end.limits.vocab_size:
            allowed = f"token ids in 0..{front_end.limits.vocab_size - 1}"
            raise invalid(f"logit_bias has the key {key[:40]!r}, allowed are {allowed}", "logit_bias")
    return {int(key): value for key, value in found.items()}


def _is_token(front_end: FrontEnd, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < front_end.limits.vocab_size
