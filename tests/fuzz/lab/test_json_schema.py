from __future__ import annotations

import pytest

from fuzz.lab.json_schema import Schema, accepts, viable

LIST: Schema = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 3}
RECORD: Schema = {"type": "object", "properties": {"a": LIST, "b": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}


@pytest.mark.parametrize("text", ['{"a":[1,-2],"b":null}', '{"a":[0,0,10],"b":"é\u2028"}'])
def test_canonical_instances_are_accepted(text: str) -> None:
    assert accepts(RECORD, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"a":[1,2], "b":null}',
        '{"b":null,"a":[1,2]}',
        '{"a":[1],"b":null}',
        '{"a":[1,2,3,4],"b":null}',
        '{"a":[1,true],"b":null}',
        '{"a":[1,2],"b":null,"c":1}',
        '{"a":[1,-0],"b":null}',
        '{"a":[1,2],"b":"\\u0041"}',
        '{"a":[1,2],"b":"\\\\"}',
        '{"a":[1,1e3],"b":null}',
        '{"a":[1,NaN],"b":null}',
    ],
)
def test_everything_else_is_not(text: str) -> None:
    assert not accepts(RECORD, text)


def test_every_beginning_of_an_instance_is_viable() -> None:
    text = '{"a":[12,-2],"b":"é"}'

    assert all(viable(RECORD, text[:length]) for length in range(len(text) + 1))


@pytest.mark.parametrize(
    "text", ["[", '{"b', '{"a":]', '{"a":[1]', '{"a":[1,2,3,', '{"a":[01', '{"a":[-0', '{"a":[1,2],"b":\n']
)
def test_what_nothing_can_complete_is_not_viable(text: str) -> None:
    assert not viable(RECORD, text)


def test_a_string_is_viable_up_to_its_longest() -> None:
    schema: Schema = {"type": "string", "minLength": 2, "maxLength": 3}

    assert viable(schema, '"')
    assert viable(schema, '"abc')
    assert not viable(schema, '"abcd')
    assert not viable(schema, '"a"')


def test_booleans_are_no_integers() -> None:
    assert not accepts({"enum": [1]}, "true")
    assert not accepts({"type": "integer"}, "true")
    assert accepts({"enum": [True]}, "true")


def test_a_long_list_is_read_in_linear_time() -> None:
    inner: Schema = {"type": "array", "items": {"type": "integer"}}
    text = "[" + ",".join(["[1,2,3]"] * 150)

    assert viable({"type": "array", "items": inner}, text)


def test_a_beginning_is_completed_in_one_way_however_many_there_are() -> None:
    constants: Schema = {"enum": list(range(100, 140))}
    row: Schema = {"type": "array", "items": constants, "minItems": 30, "maxItems": 40}
    table: Schema = {"type": "array", "items": row, "minItems": 30}

    assert all(viable(table, text) for text in ("", "[", "[[1", "[[100,139,12"))
    assert not viable(table, "[[100,14")
