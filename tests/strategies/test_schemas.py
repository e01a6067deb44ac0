from __future__ import annotations

from random import Random
from typing import Any

from strategies.schemas import SIMPLEST, altered, draw_schema, simpler_schemas, weight
from strategies.source import RandomSource
from targets.json_schema import why_not


def drawn(count: int = 200) -> list[dict[str, Any]]:
    source = RandomSource(Random(1))
    return [draw_schema(source) for _ in range(count)]


def test_drawn_schemas_are_valid_and_of_every_kind() -> None:
    schemas = drawn()

    assert {why_not(schema) for schema in schemas} == {None}
    kinds = {schema.get("type", next(iter(schema))) for schema in schemas}
    assert kinds == {"null", "boolean", "integer", "string", "array", "object", "enum", "anyOf"}


def test_an_altered_schema_is_valid_and_mostly_another() -> None:
    source = RandomSource(Random(2))
    pairs = [(schema, altered(source, schema)) for schema in drawn()]

    assert {why_not(changed) for _, changed in pairs} == {None}
    assert sum(before != changed for before, changed in pairs) > len(pairs) / 2


def test_shrinking_reaches_the_simplest_schema() -> None:
    for schema in drawn(50):
        while schema != SIMPLEST:
            smaller = [one for one in simpler_schemas(schema) if weight(one) < weight(schema) and not why_not(one)]
            assert smaller or weight(schema) <= weight(SIMPLEST)
            if not smaller:
                break
            schema = smaller[-1]
