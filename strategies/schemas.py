"""JSON schemas for constrained output: drawn, altered, and made simpler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from strategies.source import Source
from targets.json_schema import BOUNDS, why_not

Schema = dict[str, Any]

SIMPLEST: Schema = {"type": "null"}
LEAVES: tuple[Schema, ...] = (
    SIMPLEST,
    {"type": "boolean"},
    {"enum": ["a"]},
    {"enum": [None, 1, 12, "ab", "abc"]},
    {"type": "string", "maxLength": 2},
    {"type": "integer"},
    {"type": "string"},
    {"type": "string", "minLength": 1, "maxLength": 4},
    {"enum": ["é", "👨", 'say "so"', " the", True, -(2**53)]},
)
"""Most of them are complete after a few tokens, so that answers end by themselves; two never have to end."""
NESTED = 0.4
COUNTS = (0, 1, 1, 2, 3)
NAMES = ("a", "ab", "", "é", "the")


def draw_schema(source: Source, depth: int = 2) -> Schema:
    """A valid schema; every third one holds others."""
    if depth and source.boolean(NESTED):
        return _wrapped(source, draw_schema(source, depth - 1))
    return source.choice(LEAVES)


def altered(source: Source, schema: Schema) -> Schema:
    """A schema that differs from this one in a bound, in what it is nested in, or altogether."""
    kind = source.choice(("bound", "wrap", "child", "new"))
    changed = draw_schema(source)
    if kind == "bound" and schema.get("type") in BOUNDS:
        name = source.choice(BOUNDS[schema["type"]])
        changed = schema | {name: max(0, schema.get(name, 1) + source.choice((1, -1)))}
    elif kind == "wrap":
        changed = _wrapped(source, schema)
    elif kind == "child" and (inner := children(schema)):
        changed = source.choice(inner)
    return schema if why_not(changed) else changed


def simpler_schemas(schema: Schema) -> Iterator[Schema]:
    """Simpler schemas, the boldest first: null, a child, fewer entries, fewer bounds, a child made simpler."""
    yield SIMPLEST
    yield from children(schema)
    for name in ("enum", "anyOf"):
        entries = list(schema.get(name, ()))
        if len(entries) > 1:
            yield from ({name: [entry]} for entry in entries)
            yield from ({name: [*entries[:index], *entries[index + 1 :]]} for index in range(len(entries)))
    for name in ("minLength", "maxLength", "minItems", "maxItems"):
        if name in schema:
            yield {key: value for key, value in schema.items() if key != name}
            if schema[name] > 1:
                yield schema | {name: 1}
    members = schema.get("properties", {})
    for name in members:
        yield schema | {"properties": {key: value for key, value in members.items() if key != name}}
        yield from (schema | {"properties": members | {name: simpler}} for simpler in simpler_schemas(members[name]))
    if "items" in schema:
        yield from (schema | {"items": simpler} for simpler in simpler_schemas(schema["items"]))


def children(schema: Schema) -> tuple[Schema, ...]:
    """The schemas directly inside a schema."""
    items = (schema["items"],) if "items" in schema else ()
    return (*items, *schema.get("anyOf", ()), *schema.get("properties", {}).values())


def weight(schema: Schema | None) -> int:
    """How much there is to read: characters of its JSON text."""
    return 0 if schema is None else len(msgspec.json.encode(schema))


def _wrapped(source: Source, inner: Schema) -> Schema:
    match source.choice(("array", "object", "anyOf", "array")):
        case "array":
            least = source.choice(COUNTS)
            bounds = {"minItems": least, "maxItems": least + source.choice(COUNTS)} if source.boolean(0.8) else {}
            return {"type": "array", "items": inner} | bounds
        case "object":
            names = NAMES[: source.integer(0, 2)]
            others: Schema = {name: source.choice(LEAVES) for name in names}
            return {"type": "object", "properties": others | {source.choice(NAMES): inner}}
    return {"anyOf": [inner, source.choice(LEAVES)]}
