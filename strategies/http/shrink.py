"""Simpler cases that mean the same: the intent of every exchange, and the name of its defect, stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from strategies.http.breaking.editing import json_of, leaves, remove, with_bytes, with_json, with_message
from strategies.http.space import HttpSpace
from strategies.http.timing import as_steady, chances, depends_on_time, steadier
from targets.codec import encode
from targets.http.case import Exchange, Framing, HangUp, HttpCase, Intent, Piece
from targets.http.dialects.model import Json
from targets.http.proof import prove

_FINEST = 16


def size(case: HttpCase, space: HttpSpace) -> tuple[int, int, int, int, int]:
    """Exchanges, what they leave to chance, bytes on the wire as pieces say, length of the case's JSON, and how late
    clients leave; simplifying lowers it.
    """
    wire = sum(piece.size for exchange in case.exchanges for piece in (*exchange.message.body, *exchange.message.raw))
    latest = sum(_latest(exchange.hang_up) for exchange in case.exchanges if exchange.hang_up)
    return len(case.exchanges), chances(case, space), wire, len(encode(case)), latest


def simplify(case: HttpCase, space: HttpSpace) -> Iterator[HttpCase]:
    """Simpler cases, the boldest first; each has a smaller `size`."""
    limit = size(case, space)
    known = {name for exchange in case.exchanges for name in _strict(exchange, space)}
    for candidate in _candidates(case, space):
        if size(candidate, space) < limit and all(_same(exchange, space, known) for exchange in candidate.exchanges):
            yield candidate


def steadied(case: HttpCase, space: HttpSpace) -> HttpCase:
    """The case with answers that run long, whatever they draw, as far as its requests stay what they are."""
    found = (
        next((one for one in steadier(exchange, space) if holds(one, space)), exchange) for exchange in case.exchanges
    )
    return msgspec.structs.replace(case, exchanges=tuple(found))


def _same(exchange: Exchange, space: HttpSpace, known: set[str]) -> bool:
    """Whether an exchange still means what it says, and has no defect that was not there: that could be the cause."""
    return holds(exchange, space) and known.issuperset(_strict(exchange, space))


def _strict(exchange: Exchange, space: HttpSpace) -> list[str]:
    defects = prove(exchange, space.dialect, space.api.limits)
    return [found.name for found in defects if not space.family.allows(found.name)]


def holds(exchange: Exchange, space: HttpSpace) -> bool:
    """Whether the bytes still prove what the exchange says of itself."""
    defects = [found.name for found in prove(exchange, space.dialect, space.api.limits)]
    strict = [name for name in defects if not space.family.allows(name)]
    if not exchange.endpoint and exchange.intent is Intent.EITHER:
        return strict in ([], ["path-unknown"])  # the server offers an endpoint that the dialect does not have
    if exchange.defect is not None:
        return exchange.defect.name in strict
    return not strict and not (exchange.intent is Intent.VALID and defects)


def _candidates(case: HttpCase, space: HttpSpace) -> Iterator[HttpCase]:
    count, timed = len(case.exchanges), depends_on_time(case)
    if timed:
        yield steadied(case, space)
    if count > 1:
        for at in range(count):
            yield _of(case, (case.exchanges[at],))
        for at in range(count):
            yield _of(case, (*case.exchanges[:at], *case.exchanges[at + 1 :]))
    if case.concurrent:
        yield msgspec.structs.replace(case, concurrent=False)
    for at, exchange in enumerate(case.exchanges):
        for simpler in _simpler_exchanges(exchange, space, timed):
            yield _of(case, (*case.exchanges[:at], simpler, *case.exchanges[at + 1 :]))


def _of(case: HttpCase, exchanges: tuple[Exchange, ...]) -> HttpCase:
    first = msgspec.structs.replace(exchanges[0], reuse=False)
    concurrent = case.concurrent and len(exchanges) > 1
    return HttpCase(dialect=case.dialect, exchanges=(first, *exchanges[1:]), concurrent=concurrent)


def _simpler_exchanges(exchange: Exchange, space: HttpSpace, timed: bool) -> Iterator[Exchange]:
    if not timed:
        yield from _simpler(exchange)
        return
    yield from steadier(exchange, space)
    # A shorter answer might be whole before the client leaves or another request comes, or might not.
    yield from (as_steady(found, exchange, space) for found in _simpler(exchange, space.dialect.max_tokens_field))


def _simpler(exchange: Exchange, kept: tuple[str, ...] = ()) -> Iterator[Exchange]:
    if exchange.pace is not None:
        yield msgspec.structs.replace(exchange, pace=None)
    if exchange.reuse:
        yield msgspec.structs.replace(exchange, reuse=False)
    if exchange.hang_up is not None:
        yield msgspec.structs.replace(exchange, hang_up=None)
        yield from (msgspec.structs.replace(exchange, hang_up=sooner) for sooner in _sooner(exchange.hang_up))
    if exchange.message.framing is Framing.CHUNKED:
        yield with_message(exchange, framing=Framing.LENGTH)
    for at, (name, _) in enumerate(exchange.message.headers):
        headers = exchange.message.headers
        if name.lower() == "content-type" and exchange.intent is not Intent.MALFORMED:
            continue  # a server may refuse a body whose type it is not told, and that is another matter
        yield with_message(exchange, headers=(*headers[:at], *headers[at + 1 :]))
    body = json_of(exchange.message)
    if body is not None:
        yield from _simpler_bodies(exchange, [path for path in leaves(body) if path != kept[: len(path)]])
    elif exchange.message.body:
        yield from _simpler_pieces(exchange)


def _sooner(hang_up: HangUp) -> Iterator[HangUp]:
    """Leaving with less of the response: the more of it was read, the likelier all of it had been made."""
    if hang_up.after_event:
        yield from (HangUp(after_event=events) for events in (0, hang_up.after_event // 2))
    elif hang_up.after_byte:
        yield from (HangUp(after_byte=count) for count in (1, hang_up.after_byte // 2) if count)


def _latest(hang_up: HangUp) -> int:
    return (hang_up.after_event or 0) + (hang_up.after_byte or 0)


def _simpler_bodies(exchange: Exchange, paths: Sequence[tuple[str | int, ...]]) -> Iterator[Exchange]:
    for path in paths:
        shorter = json_of(exchange.message)
        assert shorter is not None
        remove(shorter, path)
        yield with_json(exchange, shorter)
    for path in paths:
        shorter = json_of(exchange.message)
        assert shorter is not None
        holder: Json = shorter
        for part in path[:-1]:
            holder = holder[part]
        for simple in _simpler_values(holder[path[-1]]):
            holder[path[-1]] = simple
            yield with_json(exchange, shorter)


def _simpler_values(value: Json) -> Iterator[Json]:
    if isinstance(value, str) and len(value) > 1:
        yield "a"
        yield value[: len(value) // 2]
        yield value[:-1]
    elif isinstance(value, list) and len(value) > 2:
        yield value[: len(value) // 2]
    elif isinstance(value, int) and not isinstance(value, bool) and value > 1:
        yield 1
        yield value // 2


def _simpler_pieces(exchange: Exchange) -> Iterator[Exchange]:
    pieces = exchange.message.body
    for at, piece in enumerate(pieces):
        rest = pieces[:at], pieces[at + 1 :]
        yield with_bytes(exchange, *rest[0], *rest[1])
        for repeat in {piece.repeat // 2, piece.repeat - 1}:
            yield with_bytes(exchange, *rest[0], msgspec.structs.replace(piece, repeat=repeat), *rest[1])
        for start, end in _cuts(len(piece.text)):
            cut = Piece(text=piece.text[:start] + piece.text[end:], hex=piece.hex, repeat=piece.repeat)
            yield with_bytes(exchange, *rest[0], cut, *rest[1])


def _cuts(length: int) -> Iterator[tuple[int, int]]:
    """Parts to leave out: halves, quarters, down to sixteenths; what is left is cut again in the next round."""
    width = length // 2
    while width and width >= length // _FINEST:
        for start in range(0, length, width):
            yield start, min(start + width, length)
        width //= 2
