"""JSON for the plain data of the contract, with messages that name the field, its value and what is allowed."""

from __future__ import annotations

import hashlib
import re
from typing import Any, TypeVar

import msgspec

from targets.errors import nearest

T = TypeVar("T")

_PATH = re.compile(r" - at `(?:key` in `)?\$(?P<path>[^`]*)`")
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")
_SEGMENT = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")
_SHOWN = 80


class DecodeError(Exception):
    """Data does not fit its type. `where` is the dotted path of the wrong field, empty for the whole document."""

    def __init__(self, message: str, where: str = "") -> None:
        self.where = where
        super().__init__(message)


def encode(value: msgspec.Struct) -> bytes:
    """Compact JSON with sorted keys, so equal values give equal bytes."""
    return msgspec.json.encode(msgspec.to_builtins(value, str_keys=True), order="deterministic")


def encode_pretty(value: msgspec.Struct) -> bytes:
    """The same JSON, indented for people and for line-based diffs, with a final newline."""
    return msgspec.json.format(encode(value), indent=1) + b"\n"


def content_hash(value: msgspec.Struct) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of `encode(value)`."""
    return hashlib.sha256(encode(value)).hexdigest()[:16]


def decode(data: bytes | str, kind: type[T]) -> T:
    """The value of `kind` that the JSON text holds. Raises `DecodeError`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise _explain(error, _parse(data), kind) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"not valid JSON: {error}") from None


def convert(data: object, kind: type[T]) -> T:
    """The value of `kind` that already parsed data (dicts, lists, numbers) holds. Raises `DecodeError`."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _explain(error, data, kind) from None


def _parse(data: bytes | str) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _explain(error: msgspec.ValidationError, document: object, kind: type[Any]) -> DecodeError:
    text = str(error)
    found = _PATH.search(text)
    where = found["path"].lstrip(".") if found else ""
    problem = _PATH.sub("", text)
    place = f"field {where!r}" if where else f"a {kind.__name__}"
    value = _lookup(document, found["path"] if found else "")
    shown = f" = {_shorten(value)}" if where else ""
    unknown = _UNKNOWN.search(text)
    if unknown and not where:
        fields = getattr(kind, "__struct_fields__", ())
        allowed = f" Allowed: {', '.join(fields)}." if fields else ""
        return DecodeError(f"{place}: {problem}.{nearest(unknown['name'], fields)}{allowed}", unknown["name"])
    return DecodeError(f"{place}{shown}: {problem[:1].lower()}{problem[1:]}", where)


def _lookup(document: object, path: str) -> object:
    value = document
    for segment in _SEGMENT.finditer(path):
        name, index = segment["name"], segment["index"]
        if name is not None and isinstance(value, dict):
            value = value.get(name)
        elif index is not None and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return value
    return value


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
