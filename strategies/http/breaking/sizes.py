"""Requests that are far too large, written compactly."""

from __future__ import annotations

import json

from strategies.http.breaking.editing import json_of, with_bytes
from strategies.http.space import COUNTS, HttpSpace
from strategies.source import Source
from targets.http.case import Exchange, Piece


def break_size(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    """One field repeated many thousand times: a text, a list of stop strings, of messages, of biases."""
    body = json_of(exchange.message)
    if body is None:
        return exchange
    stop = space.dialect.stop_field[-1]
    count = source.choice(COUNTS)
    name, unit, brackets = source.choice(
        (
            ("prompt", "abc ", '""'),
            (stop, '"xy", ', "[]"),
            ("messages", '{"role": "user", "content": "a"}, ', "[]"),
            ("prompt", "1, ", "[]"),
            ("input", '"a", ', "[]"),
            ("surprise", '"a", ', "[]"),
            ("metadata", '"k": 1, ', "{}"),
        )
    )
    body.pop(name, None)
    start = json.dumps(body)[:-1] + f", {json.dumps(name)}: {brackets[0]}"
    last = unit.removesuffix(", ")
    return with_bytes(exchange, Piece(text=start), Piece(text=unit, repeat=count), Piece(text=f"{last}{brackets[1]}}}"))
