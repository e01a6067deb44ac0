"""Requests inside the documented domain, narrowed to what the server's model can hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from strategies.http.space import TEXTS, HttpSpace
from strategies.source import Source
from targets.http.dialects.model import ApiLimits, Endpoint, EndpointKind, Json

_WORDS = ("a", "hello", "the quick brown fox", "1, 2, 3,", "Once upon a time", "def f(x):\n", "été ✅", "abcabcabc")
_PLAIN_TEXTS = tuple(text for text in TEXTS if text.strip() and "\x00" not in text)
_CHAT_OVERHEAD = 24
"""Tokens that a chat template may add for a message, at most."""

_RICH = 0.4
"""Share of the bodies with many options, since many bugs need two of them; the others tell more about one."""

Fill = Callable[[Source, HttpSpace, Endpoint], dict[str, Json]]


def draw_body(source: Source, space: HttpSpace, endpoint: Endpoint) -> dict[str, Json]:
    """A valid body for an endpoint. Greedy or seeded most of the time, so that answers can be compared."""
    body = _BODIES[space.api.dialect](source, space, endpoint)
    return {name: value for name, value in body.items() if name not in space.family.unsupported}


def draw_text(source: Source, space: HttpSpace) -> str:
    """A prompt text that is not empty, in most cases short."""
    parts = [source.choice(_WORDS)]
    while len(parts) < 4 and source.boolean(0.3):
        parts.append(source.choice(_PLAIN_TEXTS) if source.boolean(0.3) else source.choice(_WORDS))
    text = " ".join(parts)
    if source.boolean(0.1):
        text *= source.integer(2, 6)
    return _cut(text, _room(space.api.limits))


def overhead_of(body: dict[str, Json]) -> int:
    """Tokens that a chat template may add to a body, at most."""
    return _CHAT_OVERHEAD * (1 + len(body.get("messages", ())))


def _room(limits: ApiLimits) -> int:
    """Bytes that surely fit: a token may be as small as one byte."""
    return 400 if limits.context_length is None else limits.context_length - limits.max_tokens - 3 * _CHAT_OVERHEAD


def _without_limit(source: Source, limits: ApiLimits) -> bool:
    """Whether the answer may go on to the end of the context; not where nobody knows how far that is."""
    return limits.context_length is not None and source.boolean(0.08)


def filling_of(limits: ApiLimits) -> str:
    """A prompt that leaves little room for the answer, so that one without a limit is soon at its end."""
    return ("abcdefghij" * _room(limits))[: _room(limits)]


def _cut(text: str, size: int) -> str:
    return text.encode()[: max(1, size)].decode(errors="ignore") or "a"


def _openai(source: Source, space: HttpSpace, endpoint: Endpoint) -> dict[str, Json]:
    limits = space.api.limits
    body: dict[str, Json] = {"model": limits.model}
    if endpoint.kind is EndpointKind.EMBED:
        # One input says little about the order and the number of the answers.
        inputs = _several(source, space) if source.boolean() else _prompt(source, space)
        return body | {"input": inputs} | _some(source, {"encoding_format": ["float", "base64"]})
    if endpoint.kind is EndpointKind.COMPLETE:
        body["prompt"] = _prompt(source, space)
    else:
        body["messages"] = _messages(source, space, ("user", "system", "assistant"))
    body |= {"max_tokens": source.integer(1, limits.max_tokens), **_randomness(source, "seed", 2.0)}
    if endpoint.kind is EndpointKind.CHAT and _without_limit(source, limits):
        del body["max_tokens"]
        body["messages"] = [{"role": "user", "content": filling_of(limits)}]
    rich = source.boolean(_RICH)
    body |= _some(source, _SHARED_OPTIONS | {"logit_bias": _biases(limits), "stop": _stops(limits)}, rich=rich)
    # Samples of prompts in a list are numbered and counted by both, so the two belong together.
    listed = isinstance(body.get("prompt"), list)
    if (listed or rich) and body["temperature"] == 0 and source.boolean():
        body |= {"temperature": 1.0, "seed": 1}
    if body["temperature"] > 0 and limits.max_samples > 1 and source.boolean(0.8 if listed else 0.5):
        body["n"] = source.choice((2, limits.max_samples, 1))
    body |= _logprobs(source, endpoint, limits)
    return body | _stream(source, often=rich or listed or "n" in body)


def _anthropic(source: Source, space: HttpSpace, endpoint: Endpoint) -> dict[str, Json]:
    del endpoint
    limits = space.api.limits
    body = {
        "model": limits.model,
        "max_tokens": source.integer(1, limits.max_tokens),
        "messages": _messages(source, space, ("user", "assistant")),
        "temperature": source.choice((0, 0, 0, 0.5, 1)),
    }
    options: dict[str, list[Json]] = {
        "top_p": [1, 0.5, 0.9],
        "top_k": [1, 5],
        "stop_sequences": [[], ["a"], ["\n\n", "the"]],
        "system": ["be brief", [{"type": "text", "text": "be brief"}]],
        "metadata": [{"user_id": "u"}, {}],
        "stream": [True, False],
    }
    return body | _some(source, options)


def _ollama(source: Source, space: HttpSpace, endpoint: Endpoint) -> dict[str, Json]:
    limits = space.api.limits
    body: dict[str, Json] = {"model": limits.model}
    if endpoint.kind is EndpointKind.COMPLETE:
        body["prompt"] = draw_text(source, space)
    else:
        body["messages"] = _messages(source, space, ("user", "system", "assistant"))
    choices: dict[str, list[Json]] = {"top_k": [1, 5, 40], "top_p": [1, 0.5], "stop": [[], ["a"], ["\n\n", "the"]]}
    options = {"num_predict": source.integer(1, limits.max_tokens), **_randomness(source, "seed", 2.0)}
    if endpoint.kind is EndpointKind.COMPLETE and _without_limit(source, limits):
        options["num_predict"] = -1
        body["prompt"] = filling_of(limits)
    body["options"] = options | _some(source, choices)
    return body | _some(source, {"stream": [True, False], "keep_alive": ["5m", 60], "format": [None]})


_BODIES: dict[str, Fill] = {"openai": _openai, "anthropic": _anthropic, "ollama": _ollama}
_SHARED_OPTIONS: dict[str, list[Json]] = {
    "top_p": [1, 0.5, 0.9, 1e-6],
    "presence_penalty": [0, 1, -2, 2],
    "frequency_penalty": [0, 0.5, 2],
    "user": ["somebody"],
}


def _some(source: Source, options: dict[str, list[Json]], *, rich: bool = False) -> dict[str, Json]:
    """A few of the optional fields, or half of them, each with one of its values or with null."""
    chosen: dict[str, Json] = {}
    for name, values in options.items():
        if source.boolean(0.5 if rich else 0.2):
            chosen[name] = None if source.boolean(0.05) else source.choice(values)
    return chosen


def _randomness(source: Source, seed: str, hottest: float) -> dict[str, Json]:
    kind = source.integer(0, 9)
    if kind < 6:
        return {"temperature": 0}
    temperature = source.choice((1.0, 0.5, 1e-6, hottest))
    return (
        {"temperature": temperature, seed: source.choice((0, 1, 42, 2**31))}
        if kind < 9
        else {"temperature": temperature}
    )


def _prompt(source: Source, space: HttpSpace) -> Json:
    limits = space.api.limits
    form = source.integer(0, 9)
    if form < 5 or space.family.one_prompt:
        return draw_text(source, space)
    if form < 7:
        return [draw_text(source, space) for _ in range(source.integer(1, 3))]
    tokens = _tokens(source, limits)
    return tokens if form < 9 else [tokens, tokens[:1]]


def _several(source: Source, space: HttpSpace) -> Json:
    if space.family.one_prompt:
        return draw_text(source, space)
    count = source.integer(2, 3)
    if source.boolean():
        return [draw_text(source, space) for _ in range(count)]
    return [_tokens(source, space.api.limits) for _ in range(count)]


def _tokens(source: Source, limits: ApiLimits) -> list[Json]:
    top = (limits.vocab_size or 100) - 1
    return [source.integer(3, top) for _ in range(source.integer(1, 8))]


def _messages(source: Source, space: HttpSpace, roles: tuple[str, ...]) -> list[Json]:
    found: list[Json] = []
    room = _room(space.api.limits)
    for _ in range(source.integer(1, 3)):
        text = _cut(draw_text(source, space), room - _CHAT_OVERHEAD)
        room -= len(text.encode()) + _CHAT_OVERHEAD
        in_parts = space.api.dialect != "ollama" and source.boolean(0.15)
        content: Json = [{"type": "text", "text": text}] if in_parts else text
        found.append({"role": source.choice(roles), "content": content})
        if room < 2 * _CHAT_OVERHEAD:
            break
    found[-1]["role"] = "user"
    return found


def _biases(limits: ApiLimits) -> list[Json]:
    top = (limits.vocab_size or 100) - 1
    return [{}, {str(top): 100}, {"5": -100}, {"7": 1.5, "9": -1.5}]


def _stops(limits: ApiLimits) -> list[Json]:
    many = ["a", "the", "\n\n", "é", "ab", "abc"][: limits.max_stop]
    return ["a", ["a"], ["ab", "abc"], "✅", [], many]


def _logprobs(source: Source, endpoint: Endpoint, limits: ApiLimits) -> dict[str, Any]:
    if not source.boolean(0.3):
        return {}
    if endpoint.kind is EndpointKind.COMPLETE:
        return {"logprobs": source.integer(0, limits.max_logprobs)} if limits.max_logprobs else {}
    if not limits.max_top_logprobs:
        return {}
    return {"logprobs": True} | (
        {"top_logprobs": source.integer(0, limits.max_top_logprobs)} if source.boolean() else {}
    )


def _stream(source: Source, *, often: bool) -> dict[str, Json]:
    if not source.boolean(0.6 if often else 0.3):
        return {}
    options = source.choice((None, {"include_usage": True}, {"include_usage": False}, {}))
    return {"stream": True} if options is None else {"stream": True, "stream_options": options}
