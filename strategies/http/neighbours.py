"""Cases beside a failing one: its requests by themselves, in company of their own kind, and answered in another way.

What goes wrong between requests shows between those of a case, between a request and its repetition, and between the
prompts of one request; what goes wrong in an answer, in its stream and in the answer at once. Which of these a case was
found with is chance. Nothing else differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import msgspec

from strategies.http.breaking.editing import json_of, with_json
from strategies.http.shrink import holds
from strategies.http.space import HttpSpace
from targets.http.case import Exchange, HttpCase, Intent
from targets.http.dialects.fields import asking_for_scores
from targets.http.dialects.model import EndpointKind, Json
from targets.http.wire import json_message

_UNLIKE = {"logprobs"}
"""Fields that mean something else on another endpoint."""
COPIES = 3
"""Prompts that a request has beside one with a single prompt."""


def neighbours(case: HttpCase, space: HttpSpace) -> Iterator[HttpCase]:
    """Valid requests of the case and their variants, each alone, twice at once, and three times at once.

    Then what each asks for as a stream if it was answered at once, or the other way round.
    """
    for exchange in case.exchanges:
        if exchange.intent is not Intent.VALID or space.dialect.endpoint(exchange.endpoint) not in space.generating:
            continue
        staying = msgspec.structs.replace(exchange, hang_up=None, pace=None, reuse=False)
        for variant in chain.from_iterable(map(_variants, (staying, *_completions(staying, space)))):
            if holds(variant, space):
                for copies in (1, 2, 3):
                    yield HttpCase(dialect=case.dialect, exchanges=(variant,) * copies, concurrent=copies > 1)
        for variant in _told_otherwise(staying, space):
            if holds(variant, space):
                yield HttpCase(dialect=case.dialect, exchanges=(variant,))


def _variants(exchange: Exchange) -> Iterator[Exchange]:
    body = json_of(exchange.message)
    yield exchange
    if isinstance(body, dict) and "prompt" in body:
        single = _single(body["prompt"])
        for prompt in (single, [single] * COPIES):
            if prompt != body["prompt"]:
                yield with_json(exchange, body | {"prompt": prompt})


def _completions(exchange: Exchange, space: HttpSpace) -> Iterator[Exchange]:
    """A chat as plain completions of its last message, which may have several prompts where a chat has one."""
    body = json_of(exchange.message) or {}
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1].get("content"), str):
        return
    for endpoint in space.generating:
        if endpoint.kind is EndpointKind.COMPLETE:
            known = endpoint.request(space.api.limits)["properties"].keys() - _UNLIKE
            asked = {name: value for name, value in body.items() if name in known}
            moved = json_message(endpoint.path, asked | {"prompt": messages[-1]["content"]}, space.dialect.headers)
            yield msgspec.structs.replace(exchange, message=moved, endpoint=endpoint.name)


def _told_otherwise(exchange: Exchange, space: HttpSpace) -> Iterator[Exchange]:
    """As a stream, or at once with log-probabilities, which tell the tokens that the events of a stream are."""
    body, endpoint = json_of(exchange.message), space.dialect.endpoint(exchange.endpoint)
    if not isinstance(body, dict) or endpoint is None or not endpoint.can_stream:
        return
    plain = {name: value for name, value in body.items() if name != "stream_options"}
    if not space.dialect.streams(endpoint, body):
        yield with_json(exchange, plain | {"stream": True})
        return
    scores = asking_for_scores(space.dialect, space.family, endpoint, {})
    yield with_json(exchange, scores | plain | {"stream": False})


def _single(prompt: Json) -> Json:
    """The first of several prompts; a list of numbers is one prompt of tokens."""
    several = isinstance(prompt, list) and bool(prompt) and isinstance(prompt[0], str | list)
    return prompt[0] if several else prompt
