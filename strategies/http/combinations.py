"""Valid requests in which every two options of an endpoint meet: what needs both is seen before chance finds it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from random import Random

from strategies.http.space import HttpSpace
from strategies.http.valid import filling_of
from strategies.pairs import rows_of_pairs
from targets.http.case import Exchange
from targets.http.dialects.model import ApiLimits, Endpoint, EndpointKind, Json
from targets.http.wire import json_message

Part = dict[str, Json]
Factor = tuple[Part, ...]
"""What one option may say, as parts of a body; often the first says nothing. None leaves a field out."""

_PLAIN, _OTHER, _ACCENTED = "hello", "1, 2, 3,", "été ✅"
_FIRST_TOKEN = 3
"""Behind the ids that often are special."""
_STREAMS: Factor = ({}, {"stream": True}, {"stream": False})


def combined(space: HttpSpace, generator: Random) -> Iterator[Exchange]:
    """Requests to every endpoint that takes a body; those that combine most come first."""
    for endpoint in space.posting:
        factors = _FACTORS[space.api.dialect](space, endpoint)
        for row in rows_of_pairs([len(factor) for factor in factors], generator):
            body = _body(space, [factor[value] for factor, value in zip(factors, row, strict=True)])
            message = json_message(endpoint.path, body, space.dialect.headers)
            yield Exchange(message=message, endpoint=endpoint.name)


def _body(space: HttpSpace, parts: list[Part]) -> Part:
    body: Part = {"model": space.api.limits.model}
    for part in parts:
        options = {**body.get("options", {}), **part.get("options", {})}
        body |= part | ({"options": options} if options else {})
    left_out = space.family.unsupported
    return {name: value for name, value in body.items() if value is not None and name not in left_out}


def _values(name: str, *values: Json) -> Factor:
    """An option that is left out, or has one of these values."""
    return ({}, *({name: value} for value in values))


def _within(factor: Factor) -> Factor:
    """The same among the `options` of a body."""
    return tuple({"options": part} if part else {} for part in factor)


def _always(name: str, *values: Json) -> Factor:
    return tuple({name: value} for value in values)


def _counts(limits: ApiLimits) -> tuple[int, ...]:
    """Tokens to be generated: all that may be, since more of an answer shows more, and few."""
    return tuple(sorted({limits.max_tokens, limits.max_tokens // 2 or 1, 1}, reverse=True))


def _openai(space: HttpSpace, endpoint: Endpoint) -> tuple[Factor, ...]:
    limits = space.api.limits
    if endpoint.kind is EndpointKind.EMBED:
        return (_texts(space, "input"), _values("encoding_format", "float", "base64"))
    drawn: list[Part] = [{"temperature": 0}, {"temperature": 1, "seed": 0}]
    drawn += [
        {"temperature": 1, "seed": 42, "n": count}
        for count in sorted({min(2, limits.max_samples), limits.max_samples})
        if count > 1
    ]
    complete = endpoint.kind is EndpointKind.COMPLETE
    top = (limits.vocab_size or 100) - 1
    chats = (*_messages("system", "assistant"), *_without_limit(limits, "messages"))
    return (
        tuple(drawn),
        _always("max_tokens", *_counts(limits)),
        (*_STREAMS, *({"stream": True, "stream_options": {"include_usage": on}} for on in (True, False))),
        _logprobs(limits) if complete else _top_logprobs(limits),
        _values("stop", "a", ["abc", "ab", "b"][: limits.max_stop], "✅"),
        _values("logit_bias", {str(top): 100}, {str(min(7, top)): 1.5, "0": -100}),
        _values("top_p", 0.5, 1e-6),
        _values("presence_penalty", 1, -2),
        _values("frequency_penalty", 0.5, 2),
        _texts(space, "prompt") if complete else chats,
    )


def _anthropic(space: HttpSpace, endpoint: Endpoint) -> tuple[Factor, ...]:
    del endpoint
    return (
        _messages("assistant"),
        _always("max_tokens", *_counts(space.api.limits)),
        _always("temperature", 0, 0.5, 1),
        _STREAMS,
        _values("top_p", 0.5, 0.9),
        _values("top_k", 1, 5),
        _values("stop_sequences", ["a"], ["abc", "ab", "b"]),
        _values("system", "be brief", [{"type": "text", "text": "be brief"}]),
    )


def _ollama(space: HttpSpace, endpoint: Endpoint) -> tuple[Factor, ...]:
    limits = space.api.limits
    complete = endpoint.kind is EndpointKind.COMPLETE
    chats = _messages("system", "assistant", in_parts=False)
    drawn = ({"temperature": 0}, {"temperature": 1, "seed": 0}, {"temperature": 1, "seed": 42})
    return (
        _within(drawn),
        _within(_always("num_predict", *_counts(limits))),
        _STREAMS,
        _within(_values("top_k", 1, 5)),
        _within(_values("top_p", 0.5, 0.9)),
        _within(_values("stop", ["a"], ["abc", "ab", "b"])),
        _values("keep_alive", "5m", 60),
        (*_always("prompt", _PLAIN, _OTHER, _ACCENTED), *_without_limit(limits, "prompt")) if complete else chats,
    )


_FACTORS: dict[str, Callable[[HttpSpace, Endpoint], tuple[Factor, ...]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "ollama": _ollama,
}


def _texts(space: HttpSpace, name: str) -> Factor:
    """One text, several at once, and the same as token ids."""
    single = _always(name, _PLAIN, _ACCENTED)
    tokens = list(range(_FIRST_TOKEN, min(_FIRST_TOKEN + 4, space.api.limits.vocab_size or sys.maxsize)))
    several = _always(name, [_PLAIN, _OTHER], tokens, [tokens, tokens[:1]])
    return single if space.family.one_prompt else (*single, *several)


def _messages(*roles: str, in_parts: bool = True) -> Factor:
    """One message of a user, the same in parts, and some behind one of another role."""
    user = {"role": "user", "content": _PLAIN}
    found: list[Json] = [[user], [{"role": "user", "content": _ACCENTED}]]
    found += [[{"role": "user", "content": [{"type": "text", "text": _PLAIN}]}]] if in_parts else []
    found += [[{"role": role, "content": _OTHER}, user] for role in roles]
    return _always("messages", *found)


def _without_limit(limits: ApiLimits, name: str) -> Factor:
    """A prompt that nearly fills the context, and an answer that goes on to its end; where that is known."""
    if limits.context_length is None:
        return ()
    if name == "prompt":
        return ({"prompt": filling_of(limits), "options": {"num_predict": -1}},)
    return ({"messages": [{"role": "user", "content": filling_of(limits)}], "max_tokens": None},)


def _logprobs(limits: ApiLimits) -> Factor:
    return _values("logprobs", *sorted({0, limits.max_logprobs})) if limits.max_logprobs else ({},)


def _top_logprobs(limits: ApiLimits) -> Factor:
    if not limits.max_top_logprobs:
        return ({},)
    return ({}, {"logprobs": True}, {"logprobs": True, "top_logprobs": limits.max_top_logprobs})
