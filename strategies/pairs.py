"""Rows in which every two values of two factors meet: most failures that need several options need two of them.

That two are enough for most is what Kuhn, Wallace and Gallo counted ("Software Fault Interactions and Implications for
Software Testing", 2004); rows are made greedily, as in AETG (Cohen, Dalal, Fredman and Patton, 1997).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from random import Random

CANDIDATES = 5
"""Rows of which the best is taken; more make hardly fewer rows."""

Row = tuple[int, ...]
_Pair = tuple[int, int, int, int]
"""A factor and its value, a later factor and its value."""


def rows_of_pairs(sizes: Sequence[int], generator: Random) -> list[Row]:
    """Rows of one value for each factor, which has values `0..size - 1`; those that cover most pairs come first.

    A single factor has each of its values once, and no factor makes no row.
    """
    if len(sizes) < 2:
        return [(value,) for size in sizes for value in range(size)]
    missing: set[_Pair] = {
        (first, one, second, other)
        for first, second in combinations(range(len(sizes)), 2)
        for one in range(sizes[first])
        for other in range(sizes[second])
    }
    rows: list[Row] = []
    while missing:
        candidates = [_row(sizes, missing, generator) for _ in range(CANDIDATES)]
        best = max(candidates, key=lambda row: len(missing & _pairs(row)))
        missing -= _pairs(best)
        rows.append(best)
    return rows


def _row(sizes: Sequence[int], missing: set[_Pair], generator: Random) -> Row:
    """A row around a missing pair; each further factor takes the value that covers most of what is missing."""
    first, one, second, other = generator.choice(sorted(missing))
    chosen = {first: one, second: other}
    rest = [factor for factor in range(len(sizes)) if factor not in chosen]
    generator.shuffle(rest)
    for factor in rest:
        values = list(range(sizes[factor]))
        generator.shuffle(values)
        chosen[factor] = max(values, key=lambda value: _gain(factor, value, chosen, missing))
    return tuple(chosen[factor] for factor in range(len(sizes)))


def _gain(factor: int, value: int, chosen: dict[int, int], missing: set[_Pair]) -> int:
    return sum(
        ((factor, value, other, taken) if factor < other else (other, taken, factor, value)) in missing
        for other, taken in chosen.items()
    )


def _pairs(row: Row) -> set[_Pair]:
    return {(first, row[first], second, row[second]) for first, second in combinations(range(len(row)), 2)}
