"""One field with a wrong value, of a wrong type, missing, or repeated."""

from __future__ import annotations

from typing import Any

from strategies.http.breaking.editing import change, json_of, leaves, raw, remove, with_json
from strategies.http.space import NUMBERS, RAW, SURROGATES, TEXTS, HttpSpace
from strategies.source import Source
from targets.http.case import Exchange
from targets.http.dialects.model import Json

_OTHERS: tuple[Json, ...] = (None, True, False, [], {}, [[]], [None], [""], ["a", 1], {"a": {"b": 1}}, "1", 7)
_NUMERIC = ("integer", "number")


def break_field(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    """A bad value in one field, present or not, or one field taken out."""
    body = json_of(exchange.message)
    if body is None:
        return exchange
    if source.boolean(0.35) and (places := leaves(body)):
        path = source.choice(places)
        if source.boolean(0.25):
            remove(body, path)
        else:
            change(body, path, lambda _: bad_value(source, space, {}))
        return with_json(exchange, body)
    properties = _properties(space, exchange)
    name = source.choice(tuple(properties))
    if name == "options" and source.boolean(0.8):
        inner = properties[name]["anyOf"][0]["properties"]
        option = source.choice(tuple(inner))
        body["options"] = {**(body.get("options") or {}), option: bad_value(source, space, inner[option])}
    else:
        body[name] = bad_value(source, space, properties[name])
    return with_json(exchange, body)


def bad_value(source: Source, space: HttpSpace, schema: Json) -> Json:
    """A value that some field of this schema ought not to have; the proof decides whether it does."""
    kind = source.integer(0, 9)
    if kind < 5 and _is_numeric(schema):
        return _number(source, space, schema)
    if kind < 6:
        return raw(source.choice(RAW))
    if kind < 7:
        return source.choice(TEXTS)
    if kind < 8:
        return raw(f'"{source.choice(SURROGATES)}"')
    return source.choice(_OTHERS)


def _number(source: Source, space: HttpSpace, schema: Json) -> Json:
    limits = space.api.limits
    known = [number for number in (limits.vocab_size, limits.context_length, limits.max_samples) if number]
    bounds = [value for part in _parts(schema) for key, value in part.items() if key.lower().endswith("imum")]
    edges = [value + nudge for value in (*known, *bounds) for nudge in (-1, 0, 1)]
    return source.choice((*edges, *NUMBERS))


def _is_numeric(schema: Json) -> bool:
    return any(part.get("type") in _NUMERIC for part in _parts(schema))


def _parts(schema: Json) -> list[dict[str, Any]]:
    found = schema.get("anyOf", [schema]) if isinstance(schema, dict) else []
    return [part for part in found if isinstance(part, dict)]


def _properties(space: HttpSpace, exchange: Exchange) -> dict[str, Json]:
    endpoint = space.dialect.endpoint(exchange.endpoint) or space.posting[0]
    schema = endpoint.request(space.api.limits)
    return dict(schema["properties"])
