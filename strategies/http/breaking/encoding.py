"""Bodies that are no JSON, or not the JSON or the encoding they claim to be."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

from strategies.http.breaking.editing import json_of, text_of, with_bytes, with_json, with_message
from strategies.http.space import DEPTHS, HttpSpace
from strategies.source import Source
from targets.http.case import Exchange, Piece

_WHOLE = ("", "null", "[]", '"x"', "1", "true", "{", "}", "{}", "[{}]", "NaN", "not json", "a=1&b=2", "<a/>")
_BAD_BYTES = ("ff", "fffe", "c080", "e29c", "eda080", "f5808080", "80", "00", "0a", "1f")
_HEADERS = (
    ("content-type", "text/plain"),
    ("content-type", "application/x-www-form-urlencoded"),
    ("content-type", "multipart/form-data; boundary=x"),
    ("content-type", "application/json; charset=utf-16"),
    ("content-type", ""),
    ("content-encoding", "gzip"),
    ("content-encoding", "br"),
    ("content-encoding", "unknown"),
    ("accept", "application/xml"),
    ("expect", "100-continue"),
    ("expect", "something"),
)


def break_text(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    """The JSON text damaged in one place."""
    return source.choice(_DAMAGES)(source, space, exchange)


def break_encoding(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    """Bytes that are not UTF-8, another encoding, or headers that promise one."""
    del space
    text = text_of(exchange.message)
    kind = source.integer(0, 3)
    if kind == 0:
        bad = source.choice(_BAD_BYTES)
        at = text.find('"', source.integer(0, max(0, len(text) - 1))) + 1
        return with_bytes(exchange, Piece(text=text[:at]), Piece(hex=bad), Piece(text=text[at:]))
    if kind == 1:
        encoded = text.encode(source.choice(("utf-16", "utf-16-le", "utf-32", "cp037")), errors="replace")
        return with_bytes(exchange, Piece(hex=encoded.hex()))
    if kind == 2:
        return with_bytes(exchange, Piece(hex="efbbbf"), Piece(text=text))
    header = source.choice(_HEADERS)
    kept = tuple(found for found in exchange.message.headers if found[0].lower() != header[0])
    return with_message(exchange, headers=(*kept, header))


def _whole(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    del space
    return with_bytes(exchange, Piece(text=source.choice(_WHOLE)))


def _truncated(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    del space
    text = text_of(exchange.message)
    return with_bytes(exchange, Piece(text=text[: source.integer(0, max(0, len(text) - 1))]))


def _inserted(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    del space
    text = text_of(exchange.message)
    at = source.integer(0, len(text))
    piece = source.choice((",", "}", "]", "'", '"', "\\", "\x00", "\n", "/* */", "{", ":"))
    return with_bytes(exchange, Piece(text=text[:at] + piece + text[at:]))


def _trailing(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    del space
    text = text_of(exchange.message)
    return with_bytes(exchange, Piece(text=source.choice((text[:-1] + ",}", text + text, text + "\n]", text + " x"))))


def _single_quotes(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    del source, space
    return with_bytes(exchange, Piece(text=text_of(exchange.message).replace('"', "'")))


def _duplicate(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    """The first key again at the end, with another value: which one counts is undecided."""
    del space
    body = json_of(exchange.message)
    if not body:
        return exchange
    name = source.choice(tuple(body))
    extra = f", {json.dumps(name)}: {json.dumps(source.choice((body[name], None, 1)))}}}"
    return with_bytes(exchange, Piece(text=text_of(exchange.message).rstrip()[:-1] + extra))


def _nested(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    """A field nested so many levels deep, closed or not."""
    del space
    body = json_of(exchange.message)
    if body is None:
        return exchange
    # A typed parser goes down only where it expects a container, often where texts are: prompts, inputs, stops.
    holders = [name for name, value in body.items() if isinstance(value, str | list) and name != "model"]
    kind = source.integer(0, 3)
    if kind < 2 and holders:
        name, (opening, closing) = source.choice(holders), ("[", "]")
    else:
        name = "surprise" if kind == 3 else source.choice(tuple(body) or ("surprise",))
        opening, closing = source.choice((("[", "]"), ('{"a":', "}")))
    body.pop(name, None)
    start = json.dumps(body)[:-1] + (", " if body else "") + json.dumps(name) + ": "
    depth = source.choice(DEPTHS)
    end = Piece(text=closing, repeat=depth if source.boolean(0.8) else 0)
    return with_bytes(
        exchange, Piece(text=start), Piece(text=opening, repeat=depth), Piece(text="1"), end, Piece(text="}")
    )


def _not_finite(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    """A number that JSON does not have but many parsers take, in a field that is there or could be."""
    del space
    body = json_of(exchange.message)
    if body is None:
        return exchange
    numbers = [name for name, value in body.items() if isinstance(value, int | float)]
    body[source.choice((*numbers, "temperature", "top_p"))] = source.choice((math.nan, math.inf, -math.inf))
    return with_bytes(exchange, Piece(text=json.dumps(body)))


def _surprise(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    """A key that nobody knows: undecided, but never a reason to fail."""
    del space
    body = json_of(exchange.message)
    if body is None:
        return exchange
    body[source.choice(("surprise", "", "\x00", "__proto__", "temperature ", "Model"))] = source.choice(
        (1, None, {}, [])
    )
    return with_json(exchange, body)


_DAMAGES: tuple[Callable[[Source, HttpSpace, Exchange], Exchange], ...] = (
    _whole,
    _truncated,
    _inserted,
    _trailing,
    _single_quotes,
    _duplicate,
    *[_nested] * 3,
    _not_finite,
    _surprise,
)
