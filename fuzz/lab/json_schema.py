"""An independent recogniser for constrained output: the `json` module says what a text is, a small check what fits.

A beginning is judged by completing it: the completed text must be recognised as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

Schema = dict[str, Any]

_STRING = re.compile(r'"[^"\\\x00-\x1f]*')
_NUMBER = re.compile(r"-?\d*")


class Reading(NamedTuple):
    """One way to read the beginning of a text."""

    rest: str
    """What follows it; empty where the text ran out."""
    missing: str = ""
    """What has to be added where the text ran out."""


def accepts(schema: Schema, text: str) -> bool:
    """Whether the text is the compact canonical JSON of a value that fits the schema."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return written(value) == text and fits(schema, value)


def viable(schema: Schema, text: str) -> bool:
    """Whether something can follow the text so that the schema accepts the whole."""
    return any(not reading.rest and accepts(schema, text + reading.missing) for reading in _read(schema, text))


def written(value: object) -> str:
    """A value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def fits(schema: Schema, value: object) -> bool:
    """Whether a JSON value is an instance of a schema; members count in their order, and booleans are no integers."""
    if "enum" in schema:
        return written(value) in map(written, schema["enum"])
    if "anyOf" in schema:
        return any(fits(option, value) for option in schema["anyOf"])
    match schema["type"], value:
        case ("null", None) | ("boolean", bool()):
            return True
        case "integer", int():
            return not isinstance(value, bool)
        case "string", str():
            plain = not any(character in '"\\' or character < " " for character in value)
            return plain and schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        case "array", list():
            counted = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
            return counted and all(fits(schema["items"], item) for item in value)
        case "object", dict():
            members = schema["properties"]
            return list(value) == list(members) and all(fits(members[name], value[name]) for name in members)
    return False


def _read(schema: Schema, text: str) -> list[Reading]:
    """Every way to read a value at the beginning of a text; some of them turn out not to fit."""
    if "enum" in schema:
        return [reading for constant in schema["enum"] for reading in _literal(written(constant), text)]
    if "anyOf" in schema:
        return [reading for option in schema["anyOf"] for reading in _read(option, text)]
    match schema["type"]:
        case "null":
            return _literal("null", text)
        case "boolean":
            return _literal("true", text) + _literal("false", text)
        case "integer":
            return _read_number(text)
        case "string":
            return _read_string(text, schema.get("minLength", 0))
        case "array":
            return list(_read_array(text, schema["items"], schema.get("minItems", 0), schema.get("maxItems")))
    return _read_object(text, schema["properties"])


def _literal(expected: str, text: str) -> list[Reading]:
    if text.startswith(expected):
        return [Reading(text[len(expected) :])]
    return [Reading("", expected[len(text) :])] if expected.startswith(text) else []


def _read_number(text: str) -> list[Reading]:
    found = _NUMBER.match(text)
    digits = found[0] if found else ""
    rest = text[len(digits) :]
    return [Reading(rest, "1" if digits in ("", "-") and not rest else "")]


def _read_string(text: str, least: int) -> list[Reading]:
    found = _STRING.match(text)
    if found is None:
        return [] if text else [Reading("", '"' + "x" * least + '"')]
    rest = text[len(found[0]) :]
    return _literal('"', rest) if rest else [Reading("", "x" * max(0, least - len(found[0]) + 1) + '"')]


def _read_array(text: str, items: Schema, least: int, most: int | None) -> Iterator[Reading]:
    readings = _literal("[", text)
    for length in count():
        if length >= least:
            yield from _followed(readings, "]")
            # Where the text ran out, it is completed with as few items as possible.
            readings = [reading for reading in readings if reading.rest]
        if length == most or not readings:
            return
        readings = _followed(_followed(readings, "," if length else ""), items)


def _read_object(text: str, members: dict[str, Schema]) -> list[Reading]:
    readings = _literal("{", text)
    for index, (name, value) in enumerate(members.items()):
        readings = _followed(_followed(readings, f"{',' if index else ''}{written(name)}:"), value)
    return _followed(readings, "}")


def _followed(readings: list[Reading], part: str | Schema) -> list[Reading]:
    """The readings continued by a literal text or by a value of a schema.

    Where the text has run out, anything that begins there will do, and so the first: all ways to go on from there grow
    with a power of what is left to write.
    """
    continued = (
        Reading(later.rest, reading.missing + later.missing)
        for reading in readings
        for later in _continued(reading.rest, part)
    )
    return list(dict.fromkeys(continued))


def _continued(text: str, part: str | Schema) -> list[Reading]:
    found = _literal(part, text) if isinstance(part, str) else _read(part, text)
    return found if text else found[:1]
