"""Every constraint of the documented schema, broken at its boundary: each one by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from strategies.http.breaking.editing import json_of, with_json
from strategies.http.space import HttpSpace
from strategies.source import Source
from targets.http.case import Exchange
from targets.http.dialects.model import Json

_WRONG_TYPE: dict[str, Json] = {
    "string": 7,
    "number": "1",
    "integer": "1",
    "boolean": "true",
    "array": {},
    "object": [],
}
_SAMPLE: dict[str, Json] = {"string": "a", "integer": 1, "number": 1, "boolean": True, "object": {}, "array": []}


class Breach(NamedTuple):
    """A top-level field and a value that breaks one constraint of it; `missing` leaves the field out."""

    field: str
    value: Json = None
    missing: bool = False


def break_constraint(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    """One constraint of the endpoint's schema broken."""
    body = json_of(exchange.message)
    breaches = space.breaches(exchange.endpoint, breaches_of)
    if body is None or not breaches:
        return exchange
    breach = source.choice(breaches)
    if breach.missing:
        body.pop(breach.field, None)
    elif isinstance(breach.value, dict) and isinstance(body.get(breach.field), dict) and breach.field != "logit_bias":
        body[breach.field] = {**body[breach.field], **breach.value}
    else:
        body[breach.field] = breach.value
    return with_json(exchange, body)


def breaches_of(schema: Json) -> tuple[Breach, ...]:
    """What breaks each constraint of the schema of a body; nothing for an endpoint that takes none."""
    if not isinstance(schema, dict):
        return ()
    found = [Breach(name, missing=True) for name in schema.get("required", ())]
    for name, inner in schema.get("properties", {}).items():
        found += [Breach(name, value) for value in _values(inner)]
    if "model" in schema.get("properties", {}):
        found.append(Breach("model", "no-such-model"))
    return tuple(found)


def _values(schema: Json) -> Iterator[Json]:
    for branch in schema.get("anyOf", ()):
        yield from _values(branch)
    if "enum" in schema or "const" in schema:
        yield "unknown"
    kind = schema.get("type")
    if kind in ("number", "integer"):
        yield from _beyond(schema)
    elif kind == "string" and schema.get("minLength"):
        yield ""
    elif kind == "array":
        yield from _lists(schema)
    elif kind == "object":
        yield from _objects(schema)
    if kind in _WRONG_TYPE and "anyOf" not in schema:
        yield _WRONG_TYPE[kind]


def _beyond(schema: Json) -> Iterator[Json]:
    step = 1 if schema["type"] == "integer" else 0.0001
    if "minimum" in schema:
        yield schema["minimum"] - step
    if "exclusiveMinimum" in schema:
        yield schema["exclusiveMinimum"]
    if "maximum" in schema:
        yield schema["maximum"] + step


def _lists(schema: Json) -> Iterator[Json]:
    item = _sample(schema["items"])
    if schema.get("minItems"):
        yield []
    if "maxItems" in schema:
        yield [item] * (schema["maxItems"] + 1)
    for value in _values(schema["items"]):
        yield [item, value] if item != value else [value]


def _objects(schema: Json) -> Iterator[Json]:
    sample = _sample(schema)
    for name in schema.get("required", ()):
        yield {key: value for key, value in sample.items() if key != name}
    for name, inner in schema.get("properties", {}).items():
        for value in _values(inner):
            yield {**sample, name: value}
    if "propertyNames" in schema:
        yield from ({key: 1} for key in ("-1", "abc", "1.0", "01", "9999999999"))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from ({"1": value} for value in _values(schema["additionalProperties"]))


def _sample(schema: Json) -> Any:
    """A value that the schema accepts, as simple as can be."""
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0])
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    if schema.get("type") == "object":
        required = schema.get("required", ())
        return {name: _sample(schema["properties"][name]) for name in required}
    if schema.get("type") == "array":
        return [_sample(schema["items"])] if schema.get("minItems") else []
    return (
        max(schema.get("minimum", 0), 1) if schema.get("type") == "integer" else _SAMPLE.get(schema.get("type", ""), 1)
    )
