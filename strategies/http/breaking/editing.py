"""Changing the body or the message of an exchange."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import msgspec

from targets.http.case import Exchange, Message, Piece
from targets.http.dialects.model import Json
from targets.http.wire import bytes_of, json_body

_OPEN, _CLOSE = "\ue000raw\ue000", "\ue001raw\ue001"
"""Stand around raw JSON text inside a value until it is serialised; private-use characters that no dictionary has."""


def raw(text: str) -> str:
    """A value that is serialised as this JSON text, whatever it is."""
    return f"{_OPEN}{text}{_CLOSE}"


def with_message(exchange: Exchange, **changes: Any) -> Exchange:
    """The exchange with fields of its message changed."""
    return msgspec.structs.replace(exchange, message=msgspec.structs.replace(exchange.message, **changes))


def with_json(exchange: Exchange, value: Json) -> Exchange:
    """The exchange with another body; raw values go out as they are."""
    [piece] = json_body(value)
    parts = piece.text.split(f'"{_OPEN}')
    text = parts[0] + "".join(_unquoted(part) for part in parts[1:])
    return with_message(exchange, body=(Piece(text=text),))


def with_bytes(exchange: Exchange, *pieces: Piece) -> Exchange:
    """The exchange with a body of these pieces."""
    return with_message(exchange, body=tuple(piece for piece in pieces if piece.size))


def json_of(message: Message) -> dict[str, Json] | None:
    """A copy of the JSON object in the body; None if there is none."""
    try:
        value = json.loads(bytes_of(message.body))
    except (ValueError, RecursionError):
        return None
    return copy.deepcopy(value) if isinstance(value, dict) else None


def text_of(message: Message) -> str:
    """The body as text; bytes that are not UTF-8 are replaced."""
    return bytes_of(message.body).decode(errors="replace")


def leaves(value: Json, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Paths of everything inside a value, at most three levels deep, without the value itself."""
    if len(path) == 3:
        return []
    inside: list[tuple[str | int, ...]] = []
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        inside.append((*path, key))
        inside += leaves(item, (*path, key))
    return inside


def change(value: Json, path: tuple[str | int, ...], new: Callable[[Json], Json]) -> None:
    """Replace what lies at a path, in place."""
    holder = value
    for part in path[:-1]:
        holder = holder[part]
    holder[path[-1]] = new(holder[path[-1]])


def remove(value: Json, path: tuple[str | int, ...]) -> None:
    """Take out what lies at a path, in place."""
    holder = value
    for part in path[:-1]:
        holder = holder[part]
    del holder[path[-1]]


def _unquoted(part: str) -> str:
    inner, _, rest = part.partition(f'{_CLOSE}"')
    return str(json.loads(f'"{inner}"')) + rest
