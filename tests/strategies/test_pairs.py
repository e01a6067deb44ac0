"""Rows of pairs: every two values of two factors meet in one of a few rows."""

from __future__ import annotations

from itertools import combinations, product
from math import prod
from random import Random

import pytest

from strategies.pairs import Row, rows_of_pairs

MANY = (6, 3, 4, 3, 3, 4, 3, 3)


def met(rows: list[Row], first: int, second: int) -> set[tuple[int, int]]:
    return {(row[first], row[second]) for row in rows}


@pytest.mark.parametrize("sizes", [MANY, (2, 2), (1, 1, 1), (2,) * 12], ids=str)
def test_every_two_values_of_two_factors_meet(sizes: tuple[int, ...]) -> None:
    rows = rows_of_pairs(sizes, Random(1))
    for first, second in combinations(range(len(sizes)), 2):
        assert met(rows, first, second) == set(product(range(sizes[first]), range(sizes[second])))


def test_rows_are_far_fewer_than_all_combinations() -> None:
    assert 6 * 4 <= len(rows_of_pairs(MANY, Random(1))) < 6 * 4 * 2 < prod(MANY)


def test_half_of_the_rows_cover_most_of_the_pairs() -> None:
    rows = rows_of_pairs(MANY, Random(1))
    covered, all_of_them = (
        {pair for row in some for pair in combinations(enumerate(row), 2)} for some in (rows[: len(rows) // 2], rows)
    )
    assert len(covered) > 0.7 * len(all_of_them)


def test_a_single_factor_has_each_value_once_and_none_makes_no_row() -> None:
    assert rows_of_pairs((3,), Random(1)) == [(0,), (1,), (2,)]
    assert rows_of_pairs((), Random(1)) == []


def test_rows_depend_on_chance_alone() -> None:
    assert rows_of_pairs(MANY, Random(1)) == rows_of_pairs(MANY, Random(1))
    assert rows_of_pairs(MANY, Random(1)) != rows_of_pairs(MANY, Random(2))
