"""Cases beside a failing one: its requests by themselves and in company of their own kind.

What goes wrong between requests shows between those of a case, between a request and its repetition, and between the
prompts of one request; which of these a case was found with is chance. Nothing else differs.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from strategies.http.breaking.editing import json_of, with_json
from strategies.http.shrink import holds
from strategies.http.space import HttpSpace
from targets.http.case import Exchange, HttpCase, Intent
from targets.http.dialects.model import Json

COPIES = 3
"""Prompts that a request has beside one with a single prompt."""


def neighbours(case: HttpCase, space: HttpSpace) -> Iterator[HttpCase]:
    """Valid requests of the case and their variants, each alone, twice at once, and three times at once."""
    for exchange in case.exchanges:
        if exchange.intent is not Intent.VALID or space.dialect.endpoint(exchange.endpoint) not in space.generating:
            continue
        staying = msgspec.structs.replace(exchange, hang_up=None, pace=None, reuse=False)
        for variant in _variants(staying):
            if holds(variant, space):
                for copies in (1, 2, 3):
                    yield HttpCase(dialect=case.dialect, exchanges=(variant,) * copies, concurrent=copies > 1)


def _variants(exchange: Exchange) -> Iterator[Exchange]:
    body = json_of(exchange.message)
    yield exchange
    if isinstance(body, dict) and "prompt" in body:
        single = _single(body["prompt"])
        for prompt in (single, [single] * COPIES):
            if prompt != body["prompt"]:
                yield with_json(exchange, body | {"prompt": prompt})


def _single(prompt: Json) -> Json:
    """The first of several prompts; a list of numbers is one prompt of tokens."""
    several = isinstance(prompt, list) and bool(prompt) and isinstance(prompt[0], str | list)
    return prompt[0] if several else prompt
