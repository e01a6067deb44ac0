"""Whole cases: one request, several at once, one that hangs up, one after another on a connection."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from strategies.http.breaking import EDITS, HUGE_EDITS
from strategies.http.breaking.editing import json_of, with_json
from strategies.http.space import HttpSpace
from strategies.http.timing import OVERLAPPING_TOKENS, longest, unstopped
from strategies.http.valid import draw_body
from strategies.source import Source, drawn
from targets.http.case import Exchange, Framing, HangUp, HttpCase, Intent, Message, Pace
from targets.http.dialects.model import Endpoint
from targets.http.proof import prove
from targets.http.wire import json_message

_ATTEMPTS = 8
_WAYS = ("malformed",) * 9 + ("valid",) * 6 + ("gone",) * 2 + ("together",) * 4 + ("sequence",)


def http_cases(space: HttpSpace) -> st.SearchStrategy[HttpCase]:
    """Cases of every kind, valid and malformed."""
    return drawn(lambda source: draw_case(source, space))


def valid_requests(space: HttpSpace) -> st.SearchStrategy[HttpCase]:
    """Single valid requests."""
    return drawn(lambda source: case_of(space, draw_valid(source, space)))


def malformed_requests(space: HttpSpace) -> st.SearchStrategy[HttpCase]:
    """Single requests, each with one proven defect."""
    return drawn(lambda source: case_of(space, draw_malformed(source, space)))


def draw_case(source: Source, space: HttpSpace) -> HttpCase:
    """A case of any kind."""
    way = source.choice(_WAYS) if space.generating else source.choice(("malformed", "valid"))
    if way == "malformed":
        return case_of(space, draw_edited(source, space))
    if way == "gone":
        return case_of(space, leaving(source, space, draw_valid(source, space, space.generating)))
    if way == "together":
        return _together(source, space)
    if way == "sequence":
        return _sequence(source, space)
    return case_of(space, _paced(source, draw_valid(source, space)))


def case_of(space: HttpSpace, *exchanges: Exchange) -> HttpCase:
    """A case of these exchanges, one after the other."""
    return HttpCase(dialect=space.api.dialect, exchanges=exchanges)


def draw_valid(source: Source, space: HttpSpace, endpoints: tuple[Endpoint, ...] = ()) -> Exchange:
    """A valid request to one of the endpoints (by default mostly to those that take a body)."""
    pool = endpoints or (space.posting * 4 + space.endpoints)
    endpoint = source.choice(pool)
    if endpoint.method == "GET":
        message = Message(method="GET", path=endpoint.path, headers=space.dialect.headers)
    else:
        message = json_message(endpoint.path, draw_body(source, space, endpoint), space.dialect.headers)
    if source.boolean(0.05):
        message = msgspec.structs.replace(message, framing=Framing.CHUNKED, chunk=source.choice((1024, 1, 7)))
    return Exchange(message=message, endpoint=endpoint.name)


def draw_malformed(source: Source, space: HttpSpace) -> Exchange:
    """A request with exactly one proven defect."""
    for _ in range(_ATTEMPTS):
        edited = draw_edited(source, space)
        if edited.intent is Intent.MALFORMED:
            return edited
    endpoint = space.posting[0]
    empty = json_message(endpoint.path, {}, space.dialect.headers)
    return judged(space, Exchange(message=empty, endpoint=endpoint.name))


def draw_edited(source: Source, space: HttpSpace) -> Exchange:
    """A valid request with one edit, and what the documented domain says about the result."""
    exchange = draw_valid(source, space, space.posting)
    edits = HUGE_EDITS if source.boolean(space.huge_share) else EDITS
    return judged(space, source.choice(edits)(source, space, exchange))


def judged(space: HttpSpace, exchange: Exchange) -> Exchange:
    """The exchange with the intent that is proven from its bytes: malformed, or undecided."""
    defects = prove(exchange, space.dialect, space.api.limits)
    strict = [defect for defect in defects if not space.family.allows(defect.name)]
    if strict:
        statuses = tuple(sorted({status for defect in defects for status in defect.statuses}))
        defect = msgspec.structs.replace(strict[0], statuses=statuses, wire=any(one.wire for one in defects))
        return msgspec.structs.replace(exchange, intent=Intent.MALFORMED, defect=defect)
    return msgspec.structs.replace(exchange, intent=Intent.EITHER, defect=None)


def leaving(source: Source, space: HttpSpace, exchange: Exchange, latest: int = 6) -> Exchange:
    """The exchange with a client that goes away, mostly while its answer is being made.

    In a stream that is before or after up to `latest` events; an answer at once is made when its first byte comes.
    A valid request asks for as much as it may, so that it still runs when the server learns of it.
    """
    if source.boolean(0.25):
        return msgspec.structs.replace(exchange, hang_up=HangUp(after_sent=source.integer(0, 200)))
    endpoint, body = space.dialect.endpoint(exchange.endpoint), json_of(exchange.message)
    if endpoint in space.generating and body is not None and exchange.intent is Intent.VALID:
        exchange = with_json(exchange, longest(space, unstopped(space, body)))
    streams = endpoint is not None and body is not None and space.dialect.streams(endpoint, body)
    if streams and source.boolean(0.7):
        hang_up = HangUp(after_event=source.integer(0, latest))
    else:
        hang_up = HangUp(after_byte=source.choice((0, 1, 17, 200) if streams else (0, 0, 0, 0, 1, 17)))
    return msgspec.structs.replace(exchange, hang_up=hang_up)


def _together(source: Source, space: HttpSpace) -> HttpCase:
    """Requests at once, the first of which often runs long enough to be met by the others."""
    first, *others = (draw_valid(source, space, space.generating) for _ in range(source.integer(2, 4)))
    body = json_of(first.message)
    if body is not None and source.boolean():
        first = with_json(first, longest(space, unstopped(space, body), OVERLAPPING_TOKENS))
    return HttpCase(dialect=space.api.dialect, exchanges=(first, *others), concurrent=True)


def _paced(source: Source, exchange: Exchange) -> Exchange:
    if not source.boolean(0.02):
        return exchange
    return msgspec.structs.replace(exchange, pace=Pace(piece=source.choice((64, 16)), pause=0.01))


def _sequence(source: Source, space: HttpSpace) -> HttpCase:
    """A malformed request, then a valid one, on the same connection as far as that stays open."""
    second = msgspec.structs.replace(draw_valid(source, space, space.generating), reuse=True)
    return case_of(space, draw_edited(source, space), second)
