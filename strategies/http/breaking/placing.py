"""Requests to the wrong place: paths, methods, headers that are missing or too large."""

from __future__ import annotations

import msgspec

from strategies.http.breaking.editing import with_message
from strategies.http.space import HttpSpace
from strategies.source import Source
from targets.http.case import Exchange, Piece
from targets.http.wire import pieces_of, serialise

_METHODS = ("PUT", "DELETE", "PATCH", "GET", "HEAD", "BREW", "post", "OPTIONS")
_SUFFIXES = ("/", "/x", "%00", "%ff", "x", "/../models", "//")


def break_placing(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    """Another method or path, a required header left out, or a header of many kilobytes."""
    message = exchange.message
    kind = source.integer(0, 4)
    if kind == 0:
        return with_message(exchange, method=source.choice(_METHODS))
    if kind == 1:
        return with_message(exchange, path=message.path + source.choice(_SUFFIXES))
    if kind == 2:
        required = space.dialect.required_headers
        kept = tuple(header for header in message.headers if header[0].lower() not in required)
        return with_message(exchange, headers=kept)
    if kind == 3:
        query = source.choice(("?", "?a=1", "?model=x", "?%ff=%00", "?" + "a=b&" * 500))
        return with_message(exchange, path=message.path + query)
    return _with_long_header(source, exchange)


def _with_long_header(source: Source, exchange: Exchange) -> Exchange:
    size = source.choice((1_000, 9_000, 70_000, 2_000_000))
    line, _, rest = serialise(exchange.message, "127.0.0.1").partition(b"\r\n")
    start = Piece(text=line.decode() + "\r\nx-long: ")
    pieces = (start, Piece(text="a", repeat=size), *pieces_of(b"\r\n" + rest))
    return msgspec.structs.replace(with_message(exchange, raw=pieces))
