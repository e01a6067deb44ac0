"""The expression language: what it gives and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from targets.graph.expression import MAX_NUMBER, ExpressionError, parse

STATE: dict[str, Any] = {"n": 3, "text": "abc", "items": ["a", 1], "yes": True, "nothing": None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("n + 1", 4),
        ("-n // 2", -2),
        ("n % 2 == 1 and not (n > 5)", True),
        ("'b' in text or n < 0", True),
        ("1 in items", True),
        ("len(items) + len(text)", 5),
        ("text + 'd'", "abcd"),
        ("items + [2]", ["a", 1, 2]),
        ("nothing == null", True),
        ("yes == true", True),
        ("yes == 1", False),
        ("true in items", False),
    ],
)
def test_an_expression_has_its_value(text: str, value: object) -> None:
    found = parse(text)(STATE)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "n >",
        "n.real",
        "__import__('os')",
        "(lambda: 1)()",
        "[x for x in items]",
        "n ** 2",
        "1.5",
        "b'x'",
        "f'{n}'",
        "items[0]",
        "1 < n < 3",
        "n if yes else 1",
        "(n := 1)",
        "+n",
        "n is null",
        "(" * 400,
        "not " * 40 + "yes",
        "1" * 5000,
        "\x00",
        "n # \ud800",
    ],
)
def test_anything_else_is_refused_when_parsed(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@pytest.mark.parametrize(
    "text", ["n + text", "n < text", "n // 0", "n % 0", "yes + 1", "len(n)", "n in n", "not n", "absent", "n and yes"]
)
def test_values_that_do_not_fit_are_typed_errors(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)(STATE)


def test_results_are_bounded() -> None:
    with pytest.raises(ExpressionError, match="beyond"):
        parse(f"{MAX_NUMBER} * n")(STATE)
    with pytest.raises(ExpressionError, match="longer than"):
        parse("text + text")({"text": "x" * 6000})


def test_a_condition_must_be_true_or_false() -> None:
    with pytest.raises(ExpressionError, match="gives 3, not true or false"):
        parse("n").holds(STATE)


def test_the_names_it_reads_are_known() -> None:
    assert parse("n > 1 and text == 'n' or not yes").names == {"n", "text", "yes"}


@given(st.text(max_size=60))
def test_any_text_gives_an_expression_or_the_typed_error(text: str) -> None:
    try:
        parse(text)(STATE)
    except ExpressionError:
        return
