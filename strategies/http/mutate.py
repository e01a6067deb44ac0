"""Edits of HTTP cases for coverage-guided engines. Intents are proven anew after every edit."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from strategies.http.breaking import EDITS
from strategies.http.breaking.editing import json_of, with_json
from strategies.http.cases import draw_case, draw_valid, judged, leaving
from strategies.http.space import HttpSpace
from strategies.source import RandomSource, Source
from targets.http.case import Exchange, HttpCase, Intent

_MOST = 6
"""Exchanges in a case."""


def generate(random: Random, space: HttpSpace) -> HttpCase:
    """A new case; equal states of `random` give equal cases."""
    return draw_case(RandomSource(random), space)


def mutate(case: HttpCase, random: Random, space: HttpSpace) -> HttpCase:
    """The case with one edit."""
    source = RandomSource(random)
    return source.choice(_MUTATIONS)(source, space, case)


def crossover(first: HttpCase, second: HttpCase, random: Random, space: HttpSpace) -> HttpCase:
    """Exchanges of both, or one exchange with fields of both bodies."""
    source = RandomSource(random)
    one, other = source.choice(first.exchanges), source.choice(second.exchanges)
    left, right = json_of(one.message), json_of(other.message)
    if one.endpoint == other.endpoint and left is not None and right is not None and source.boolean(0.7):
        taken = {name: value for name, value in right.items() if source.boolean()}
        return _replaced(first, one, judged(space, with_json(one, left | taken)))
    exchanges = (*first.exchanges[: _MOST // 2], *second.exchanges[: _MOST // 2])
    return _case(space, exchanges, concurrent=source.boolean(0.3))


def _edit(source: Source, space: HttpSpace, case: HttpCase) -> HttpCase:
    exchange = source.choice(case.exchanges)
    return _replaced(case, exchange, judged(space, source.choice(EDITS)(source, space, exchange)))


def _flip_stream(source: Source, space: HttpSpace, case: HttpCase) -> HttpCase:
    exchange = source.choice(case.exchanges)
    body = json_of(exchange.message)
    endpoint = space.dialect.endpoint(exchange.endpoint)
    if body is None or endpoint is None or not endpoint.can_stream:
        return case
    body["stream"] = not space.dialect.streams(endpoint, body)
    if not body["stream"]:
        body.pop("stream_options", None)
    flipped = with_json(exchange, body)
    return _replaced(case, exchange, flipped if exchange.intent is Intent.VALID else judged(space, flipped))


def _add(source: Source, space: HttpSpace, case: HttpCase) -> HttpCase:
    if len(case.exchanges) >= _MOST:
        return case
    fresh = draw_valid(source, space, space.generating)
    return _case(space, (*case.exchanges, fresh), concurrent=case.concurrent or source.boolean())


def _renew(source: Source, space: HttpSpace, case: HttpCase) -> HttpCase:
    """A fresh valid request in the place of another."""
    old = source.choice(case.exchanges)
    new = draw_valid(source, space, space.posting if len(case.exchanges) == 1 else space.generating)
    return _replaced(case, old, msgspec.structs.replace(new, reuse=old.reuse))


def _repeat(source: Source, space: HttpSpace, case: HttpCase) -> HttpCase:
    again = source.choice(case.exchanges)
    return _case(space, (*case.exchanges, again)[-_MOST:], concurrent=source.boolean(0.5))


def _drop(source: Source, space: HttpSpace, case: HttpCase) -> HttpCase:
    if len(case.exchanges) < 2:
        return case
    at = source.integer(0, len(case.exchanges) - 1)
    return _case(space, (*case.exchanges[:at], *case.exchanges[at + 1 :]), concurrent=case.concurrent)


def _hang_up(source: Source, space: HttpSpace, case: HttpCase) -> HttpCase:
    exchange = source.choice(case.exchanges)
    stays = exchange.hang_up is not None and source.boolean(0.2)
    new = msgspec.structs.replace(exchange, hang_up=None) if stays else leaving(source, space, exchange, latest=20)
    return _replaced(case, exchange, new)


def _toggle(source: Source, space: HttpSpace, case: HttpCase) -> HttpCase:
    del source
    return _case(space, case.exchanges, concurrent=not case.concurrent)


_MUTATIONS: tuple[Callable[[Source, HttpSpace, HttpCase], HttpCase], ...] = (
    _edit,
    _edit,
    _renew,
    _renew,
    _renew,
    _flip_stream,
    _add,
    _repeat,
    _drop,
    _hang_up,
    _toggle,
)


def _replaced(case: HttpCase, old: Exchange, new: Exchange) -> HttpCase:
    exchanges = tuple(new if exchange is old else exchange for exchange in case.exchanges)
    return msgspec.structs.replace(case, exchanges=exchanges)


def _case(space: HttpSpace, exchanges: tuple[Exchange, ...], *, concurrent: bool) -> HttpCase:
    if concurrent or not exchanges[0].reuse:
        kept = exchanges
    else:
        kept = (msgspec.structs.replace(exchanges[0], reuse=False), *exchanges[1:])
    if concurrent:
        kept = tuple(msgspec.structs.replace(exchange, reuse=False) for exchange in kept)
    return HttpCase(dialect=space.api.dialect, exchanges=kept, concurrent=concurrent and len(kept) > 1)
