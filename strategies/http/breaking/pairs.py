"""Defects that only showed together with something else, so they are generated together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from strategies.http.breaking.editing import json_of, raw, with_json
from strategies.http.space import HttpSpace
from strategies.source import Source
from targets.http.case import Exchange
from targets.http.dialects.model import ApiLimits, EndpointKind, Json


class Pair(NamedTuple):
    """Fields that are set together."""

    fields: Callable[[ApiLimits], dict[str, Json]]
    sources: tuple[str, ...]


def _long(limits: ApiLimits) -> str:
    size = (limits.context_length or 4096) * (limits.bytes_per_token or 6)
    return "ab " * (size // 3 + 2)


def _vocab(limits: ApiLimits) -> int:
    return limits.vocab_size or 2**31


PAIRS: tuple[Pair, ...] = (
    Pair(lambda _: {"temperature": raw("NaN"), "stream": True}, ("VALID-38", "VALID-41")),
    Pair(lambda _: {"temperature": -1, "stream": True}, ("LIFE-07",)),
    Pair(lambda _: {"stop": [""], "stream": True}, ("STREAM-07", "LIFE-07")),
    Pair(lambda limits: {"stop_token_ids": [_vocab(limits)], "min_tokens": 1}, ("VALID-03",)),
    Pair(lambda _: {"stop_token_ids": [None], "min_tokens": 1}, ("VALID-04",)),
    Pair(lambda _: {"echo": True, "max_tokens": 0}, ("VALID-28",)),
    Pair(lambda limits: {"logit_bias": {str(_vocab(limits)): 100}, "temperature": 0}, ("VALID-01", "VALID-02")),
    Pair(lambda _: {"logit_bias": {"191222": 100}, "stream": True}, ("VALID-01",)),
    Pair(lambda _: {"logprobs": True, "top_logprobs": 1_000_000}, ("VALID-05",)),
    Pair(lambda _: {"top_logprobs": 5, "logprobs": False}, ("VALID-05",)),
    Pair(lambda _: {"n": 10_000, "stream": True}, ("SAMPLE-20",)),
    Pair(lambda _: {"n": 0, "temperature": 1}, ("SAMPLE-20",)),
    Pair(lambda _: {"prompt": ["a", 1], "stream": True}, ("VALID-12",)),
    Pair(lambda _: {"prompt": [""], "max_tokens": 1}, ("VALID-27",)),
    Pair(lambda limits: {"prompt": _long(limits), "max_tokens": 2**31 - 1}, ("VALID-21",)),
    Pair(lambda limits: {"prompt": _long(limits), "max_tokens": None}, ("VALID-24",)),
    Pair(lambda limits: {"prompt": _long(limits), "stream": True}, ("VALID-15", "LIFE-07")),
    Pair(lambda _: {"stream": False, "stream_options": {"include_usage": True}}, ("VALID-25",)),
    Pair(lambda _: {"max_tokens": 2**31 - 1, "stream": True}, ("LIMITS-01",)),
    Pair(lambda _: {"format": {"type": "object", "pattern": "(?<=x)*"}, "stream": True}, ("VALID-08", "VALID-35")),
)


def break_in_pairs(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    """Two fields at once; those that the endpoint does not have are left out unless they are extensions of servers."""
    body = json_of(exchange.message)
    if body is None:
        return exchange
    fields = source.choice(PAIRS).fields(space.api.limits)
    endpoint = space.dialect.endpoint(exchange.endpoint)
    chat = endpoint is not None and endpoint.kind is EndpointKind.CHAT
    if chat and isinstance(fields.get("prompt"), str):
        fields["messages"] = [{"role": "user", "content": fields["prompt"]}]
    known = set(endpoint.request(space.api.limits)["properties"]) if endpoint else set()
    for name, value in fields.items():
        if name in known or name in ("stop_token_ids", "min_tokens"):
            body[name] = value
        elif "options" in known and name in ("temperature", "stop"):
            body["options"] = {**(body.get("options") or {}), name: value}
        elif name == "stop" and "stop_sequences" in known:
            body["stop_sequences"] = value
    return with_json(exchange, body)
