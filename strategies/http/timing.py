"""Cases whose outcome depends on how long answers take, and how they leave less of that to chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from strategies.http.breaking.editing import json_of, with_json
from strategies.http.space import HttpSpace
from strategies.http.valid import overhead_of
from targets.http.case import Exchange, HttpCase, Intent
from targets.http.dialects.fields import greedy, is_repeatable, lookup, placed, prompt_bytes, prompts_of
from targets.http.dialects.model import Dialect, Json

MANY_TOKENS = 200
"""What a client asks for that will not wait for it."""
OVERLAPPING_TOKENS = 64
"""What a request asks for that others shall find still running."""

_Steadying = Callable[[Exchange, HttpSpace], Exchange]


def depends_on_time(case: HttpCase) -> bool:
    """Whether requests, or prompts of one, run beside each other, or a client leaves while its answer is made."""
    return case.concurrent or any(
        exchange.hang_up is not None or prompts_of(json_of(exchange.message) or {}) for exchange in case.exchanges
    )


def chances(case: HttpCase, space: HttpSpace) -> int:
    """What could be done for the requests of a case to run long, whatever they draw; 0 if time decides nothing."""
    if not depends_on_time(case):
        return 0
    return sum(step(exchange, space) != exchange for exchange in case.exchanges for step in _STEPS)


def steadier(exchange: Exchange, space: HttpSpace) -> Iterator[Exchange]:
    """The exchange running long, whatever it draws: with all that can be done for that, then with a part of it."""
    whole = exchange
    for step in _STEPS:
        whole = step(whole, space)
    parts = (step(exchange, space) for step in _STEPS)
    yield from (one for one in (whole, *parts) if one != exchange)


def as_steady(exchange: Exchange, other: Exchange, space: HttpSpace) -> Exchange:
    """The exchange with all of that for which nothing is left to do in the other."""
    for step in _STEPS:
        if step(other, space) == other:
            exchange = step(exchange, space)
    return exchange


def longest(space: HttpSpace, body: dict[str, Json], most: int = MANY_TOKENS) -> dict[str, Json]:
    """The body asking for `most` tokens, or as many as surely fit behind its prompt, if it asks for fewer."""
    limits, place = space.api.limits, space.dialect.max_tokens_field
    room = (limits.context_length or most) - prompt_bytes(body) - overhead_of(body)
    asked = lookup(body, place)
    fits = min(room, most, limits.largest_max_tokens or most)
    return placed(body, place, fits) if isinstance(asked, int) and 0 < asked < fits else body


def unstopped(space: HttpSpace, body: dict[str, Json]) -> dict[str, Json]:
    """The body without stop strings."""
    place = space.dialect.stop_field
    return placed(body, place, []) if lookup(body, place) else body


def _drawn_alike(exchange: Exchange, space: HttpSpace) -> Exchange:
    return _with_body(exchange, space, lambda body: _repeatable(space.dialect, body))


def _repeatable(dialect: Dialect, body: dict[str, Json]) -> dict[str, Json]:
    if is_repeatable(dialect, body):
        return body
    # Several samples of the best tokens would all be the same, and a server may refuse them.
    several = body.get("n") not in (None, 1)
    return placed(body, dialect.seed_field, 1) if several and dialect.seed_field else greedy(dialect, body)


def _unstopped(exchange: Exchange, space: HttpSpace) -> Exchange:
    return _with_body(exchange, space, lambda body: unstopped(space, body))


def _longest(exchange: Exchange, space: HttpSpace) -> Exchange:
    most = MANY_TOKENS if exchange.hang_up else OVERLAPPING_TOKENS
    return _with_body(exchange, space, lambda body: longest(space, body, most))


_STEPS: tuple[_Steadying, ...] = (_drawn_alike, _unstopped, _longest)


def _with_body(exchange: Exchange, space: HttpSpace, change: Callable[[dict[str, Json]], dict[str, Json]]) -> Exchange:
    """The exchange with another body if it is a valid request for text."""
    body = json_of(exchange.message)
    if body is None or exchange.intent is not Intent.VALID:
        return exchange
    if space.dialect.endpoint(exchange.endpoint) not in space.generating:
        return exchange
    changed = change(body)
    return exchange if changed == body else with_json(exchange, changed)
