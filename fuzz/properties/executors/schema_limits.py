"""JSON schemas at the limits of the documented subset and one step past them, as literal text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from targets.json_schema import BOUNDS, MAX_CONSTANT, MAX_COUNT, MAX_DEPTH

Schema = dict[str, Any]

NULL: Schema = {"type": "null"}


def neighbouring_schemas() -> tuple[str, ...]:
    """Python literal texts; which of them are valid is the domain's to tell."""
    schemas = (*_deep(), *_many(), *_bounded(), *_constants(), *_odd())
    return tuple(map(repr, schemas))


def _deep() -> Iterator[Schema]:
    for depth in (MAX_DEPTH, MAX_DEPTH + 1):
        array = members = options = NULL
        for _ in range(depth - 1):
            array = {"type": "array", "items": array, "maxItems": 1}
            members = {"type": "object", "properties": {"a": members}}
            options = {"anyOf": [options]}
        yield from (array, members, options)


def _many() -> Iterator[Schema]:
    for count in (0, 1, MAX_COUNT, MAX_COUNT + 1):
        yield {"enum": [*range(count)]}
        yield {"anyOf": [{"enum": [number]} for number in range(count)]}
        yield {"type": "object", "properties": {f"{number}": NULL for number in range(count)}}


def _bounded() -> Iterator[Schema]:
    kinds: dict[str, Schema] = {"string": {"type": "string"}, "array": {"type": "array", "items": NULL}}
    for name, (least, most) in BOUNDS.items():
        for value in (-1, 0, 1, MAX_COUNT, MAX_COUNT + 1, True, 1.0):
            yield kinds[name] | {least: value}
            yield kinds[name] | {most: value}
        yield kinds[name] | {least: 2, most: 2}
        yield kinds[name] | {least: 3, most: 2}


def _constants() -> Iterator[Schema]:
    texts = ("", "\x00", '"', "\ud800")
    for value in (MAX_CONSTANT, MAX_CONSTANT + 1, -MAX_CONSTANT, -MAX_CONSTANT - 1, None, True, 1.5, (), *texts):
        yield {"enum": [value]}
    for name in (*texts, 1, None):
        yield {"type": "object", "properties": {name: NULL}}


def _odd() -> Iterator[Schema]:
    """Schemas with a keyword too many or without one, and of types that are none."""
    for whole in (NULL, {"enum": [1]}, {"anyOf": [NULL]}, {"type": "object", "properties": {}}, {"type": "string"}):
        yield whole | {"title": "a"}
    yield from ({}, {"type": "array"}, {"type": "object"}, {"type": "number"}, {"type": ["null"]}, {"type": None})
    yield from ({"enum": 1}, {"anyOf": NULL}, {"anyOf": [None]}, {"type": "object", "properties": [NULL]})
