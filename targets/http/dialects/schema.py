"""JSON Schema pieces that dialects describe their bodies with, and checking against them."""

from __future__ import annotations

import functools
import json
from typing import Any

from targets.http.dialects.model import Json, Problem

TEXT: Json = {"type": "string"}
SOME_TEXT: Json = {"type": "string", "minLength": 1}
FLAG: Json = {"type": "boolean"}
COUNT: Json = {"type": "integer", "minimum": 0}
NULL: Json = {"type": "null"}
_MOST_KNOWN = 1024


def number(minimum: float, maximum: float, *, above: bool = False) -> Json:
    """A number in a closed interval, open at the minimum if `above`."""
    return {"type": "number", "exclusiveMinimum" if above else "minimum": minimum, "maximum": maximum}


def integer(minimum: int, maximum: int | None = None) -> Json:
    """An integer in a closed interval."""
    return {"type": "integer", "minimum": minimum} | ({} if maximum is None else {"maximum": maximum})


def optional(schema: Json) -> Json:
    """What the schema says, or null."""
    return {"anyOf": [schema, NULL]}


def array(items: Json, minimum: int = 0, maximum: int | None = None) -> Json:
    """A list of such items."""
    return {"type": "array", "items": items, "minItems": minimum} | ({} if maximum is None else {"maxItems": maximum})


def record(required: dict[str, Json], others: dict[str, Json] | None = None, **more: Json) -> Json:
    """An object with required and with optional, nullable fields."""
    fields = required | {name: optional(schema) for name, schema in (others or {}).items()}
    return {"type": "object", "required": list(required), "properties": fields, **more}


def either(*schemas: Json) -> Json:
    """Any of the schemas."""
    return {"anyOf": list(schemas)}


def requires(field: str, other: str, value: Json) -> Json:
    """When `field` is given and not null, `other` must have the value."""
    given = {"required": [field], "properties": {field: {"not": NULL}}}
    return {"if": given, "then": {"required": [other], "properties": {other: {"const": value}}}}


def errors(schema: Json, value: Json) -> list[Any]:
    """The `jsonschema` errors of a value."""
    return list(_validator_of(schema).iter_errors(value))


def shape_problems(schema: Json, value: Json, slug: str) -> tuple[Problem, ...]:
    """What is wrong with the shape of an answer."""
    return tuple(Problem(slug, f"{_path(error)}: {_shorten(error.message)}") for error in errors(schema, value)[:3])


_KNOWN: dict[int, tuple[Json, Any]] = {}
"""Validators of schemas by their ids; a schema is kept so that no other one gets its id."""


def _validator_of(schema: Json) -> Any:
    known = _KNOWN.get(id(schema))
    if known is None:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        # Most schemas are constants, and writing one as text takes as long as checking an event of a stream.
        known = _KNOWN[id(schema)] = (schema, _validator(json.dumps(schema, sort_keys=True)))
    return known[1]


@functools.lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    import jsonschema

    return jsonschema.Draft202012Validator(json.loads(schema))


def _path(error: Any) -> str:
    return ".".join(str(part) for part in error.absolute_path) or "the body"


def _shorten(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:160]}..."
