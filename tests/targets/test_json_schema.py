from __future__ import annotations

from typing import Any

import pytest

from targets.json_schema import MAX_COUNT, MAX_DEPTH, why_not


def nested(depth: int) -> dict[str, Any]:
    return {"type": "null"} if depth == 1 else {"type": "array", "items": nested(depth - 1)}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "null"},
        {"type": "integer"},
        {"type": "string", "minLength": 0, "maxLength": MAX_COUNT},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {"type": "array", "items": {"enum": [None, True, -(2**53), "é"]}}}},
        {"anyOf": [{"type": "boolean"}, {"type": "boolean"}]},
        nested(MAX_DEPTH),
    ],
)
def test_schemas_of_the_subset_are_valid(schema: object) -> None:
    assert why_not(schema) is None


@pytest.mark.parametrize("schema", [None, [], "{}", 7, {}, {"type": 7}, {"type": ["null"]}, {1: 2}, {"$ref": "#"}])
def test_what_is_no_schema_is_refused(schema: object) -> None:
    assert why_not(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": []},
        {"anyOf": []},
        {"type": "string", "minLength": 2, "maxLength": 1},
        {"type": "array", "items": {"enum": []}},
    ],
)
def test_a_schema_that_nothing_fits_is_refused(schema: object) -> None:
    assert why_not(schema)


@pytest.mark.parametrize("count", [-1, MAX_COUNT + 1, True, 1.0, None, "1"])
def test_a_bound_is_a_small_integer(count: object) -> None:
    assert why_not({"type": "string", "maxLength": count}) == f"`maxLength` an integer in 0..{MAX_COUNT}"


@pytest.mark.parametrize("constant", [1.5, 2**53 + 1, [], {}, "\ud800"])
def test_a_constant_is_a_plain_scalar(constant: object) -> None:
    assert why_not({"enum": [constant]})


def test_nesting_ends_at_the_documented_depth() -> None:
    assert why_not(nested(MAX_DEPTH + 1)) == f"at most {MAX_DEPTH} schemas nested in each other"


def test_a_schema_inside_itself_is_judged_without_end() -> None:
    circle: dict[str, Any] = {"type": "array"}
    circle["items"] = circle

    assert why_not(circle)
