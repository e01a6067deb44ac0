"""The JSON Schemas that `SamplingParams.json_schema` may hold: a small subset, written as plain JSON data.

A schema is one of

    {"type": "null"}, {"type": "boolean"}, {"type": "integer"}
    {"type": "string", "minLength": 0, "maxLength": 8}       both bounds optional, in characters
    {"type": "array", "items": SCHEMA, "minItems": 0, "maxItems": 8}       both bounds optional
    {"type": "object", "properties": {"name": SCHEMA}}       every property is required, no other is allowed
    {"enum": [null, true, 7, "text"]}       at least one constant
    {"anyOf": [SCHEMA, ...]}       at least one schema

and a constrained answer is the compact canonical JSON text of one value that fits: no whitespace, members in the order
of the schema, integers without leading zeros and without `-0`, strings of any characters that need no escape.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 4
"""Schemas nested in each other, the outermost counted."""
MAX_COUNT = 16
"""Largest bound of a length, and most entries of `enum`, `anyOf` and `properties`."""
MAX_CONSTANT = 2**53
"""Largest magnitude of an integer in an `enum`: up to here every JSON reader agrees."""

BOUNDS = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}
TYPES = {
    "null": (),
    "boolean": (),
    "integer": (),
    "string": BOUNDS["string"],
    "array": ("items", *BOUNDS["array"]),
    "object": ("properties",),
}
"""Value of `type` to the keywords that may stand beside it."""


def why_not(schema: object, depth: int = MAX_DEPTH) -> str | None:
    """What a value of any type would need to be a valid, satisfiable schema; None if it is one. Never raises."""
    return next(_problems(schema, depth), None)


def _problems(schema: object, depth: int) -> Iterator[str]:
    if depth == 0:
        yield f"at most {MAX_DEPTH} schemas nested in each other"
        return
    if not isinstance(schema, dict):
        yield "a JSON schema as a mapping"
        return
    kind: Any = next((name for name in ("type", "enum", "anyOf") if name in schema), None)
    if kind is None:
        yield "`type`, `enum` or `anyOf`"
    elif kind == "type":
        yield from _typed(schema, depth)
    elif len(schema) > 1:
        yield f"no keyword beside `{kind}`"
    elif not is_list(schema[kind]):
        yield f"1..{MAX_COUNT} entries in `{kind}`"
    elif kind == "enum":
        yield from ("constants that are null, a boolean, an integer or a text" for one in schema[kind] if odd(one))
    else:
        for one in schema[kind]:
            yield from _problems(one, depth - 1)


def _typed(schema: dict[Any, Any], depth: int) -> Iterator[str]:
    name = schema["type"]
    if not isinstance(name, str) or name not in TYPES:
        yield f"`type` one of {', '.join(TYPES)}"
        return
    unknown = [key for key in schema if key != "type" and key not in TYPES[name]]
    if unknown:
        yield f"only {', '.join(('type', *TYPES[name]))} in a schema of type {name}"
    if name in BOUNDS:
        yield from _bounds(schema, *BOUNDS[name])
    if name == "array":
        yield from _problems(schema.get("items"), depth - 1)
    if name == "object":
        yield from _properties(schema.get("properties"), depth)


def _bounds(schema: dict[Any, Any], least: str, most: str) -> Iterator[str]:
    for name in (least, most):
        if name in schema and not is_count(schema[name]):
            yield f"`{name}` an integer in 0..{MAX_COUNT}"
            return
    if schema.get(least, 0) > schema.get(most, MAX_COUNT):
        yield f"`{least}` not above `{most}`; nothing fits this schema"


def _properties(properties: object, depth: int) -> Iterator[str]:
    if not isinstance(properties, dict) or len(properties) > MAX_COUNT:
        yield f"`properties`, a mapping of at most {MAX_COUNT} names"
        return
    for name, schema in properties.items():
        if not isinstance(name, str) or not is_encodable(name):
            yield "texts as names of properties"
        yield from _problems(schema, depth - 1)


def is_count(value: object) -> bool:
    """Whether a value of any type can bound a length."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT


def is_list(value: object) -> bool:
    """Whether a value of any type is a list that is neither empty nor too long."""
    return isinstance(value, list | tuple) and 0 < len(value) <= MAX_COUNT


def odd(value: object) -> bool:
    """Whether a value of any type is no constant of an `enum`."""
    if isinstance(value, str):
        return not is_encodable(value)
    if isinstance(value, int):
        return abs(value) > MAX_CONSTANT
    return value is not None


def is_encodable(text: str) -> bool:
    """Whether a text has no lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
