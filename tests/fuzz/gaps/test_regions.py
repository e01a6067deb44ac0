"""Cutting what was not executed into gaps, and saying which kind each is."""

from __future__ import annotations

import ast
from collections.abc import Set as AbstractSet
from textwrap import dedent

import pytest

from fuzz.gaps.kinds import kind_of
from fuzz.gaps.measure import Measured
from fuzz.gaps.model import GapKind
from fuzz.gaps.nearest import nearest
from fuzz.gaps.regions import Region, regions

SOURCE = dedent(
    """\
    def outer(value):
        if value is None:
            return 0
        try:
            found = value.go()
        except KeyError:
            found = 1
        if found > 3:
            found += 1
            found += 2
        if value.device.type == "cuda":
            found.sync()
        match found:
            case 1:
                return 1
            case _:
                return 2

    def never(value):
        return value

    def strict(value):
        if value < 0:
            message = "negative"
            raise ValueError(message)
        if value:
            value += 1
        return value
    """
)
TREE = ast.parse(SOURCE)


Branches = AbstractSet[tuple[int, int]]


def measured(
    missing: set[int], branches: Branches = frozenset(), contexts: dict[int, tuple[str, ...]] | None = None
) -> Measured:
    lines = {node.lineno for node in ast.walk(TREE) if isinstance(node, ast.stmt)}
    return Measured(
        path="x.py",
        executed=frozenset(lines - missing),
        missing=frozenset(missing),
        branches=frozenset(branches),
        missing_branches=frozenset(branches),
        contexts=contexts or {},
    )


def only(missing: set[int], branches: Branches = frozenset()) -> Region:
    (region,) = regions(measured(missing, branches), TREE)
    return region


@pytest.mark.parametrize(
    ("missing", "kind"),
    [
        ({3}, GapKind.GUARD),
        ({7}, GapKind.ERROR),
        ({9, 10}, GapKind.PATH),
        ({12}, GapKind.DEVICE),
        ({17}, GapKind.DEFAULT),
        ({20}, GapKind.FUNCTION),
        ({24, 25}, GapKind.ERROR),
    ],
)
def test_the_kind_of_a_gap_follows_from_the_syntax(missing: set[int], kind: GapKind) -> None:
    assert kind_of(only(missing), TREE) is kind


def test_the_jump_past_an_if_without_else_is_a_default_branch() -> None:
    region = only(set(), {(26, 28)})
    assert region.line == 26
    assert kind_of(region, TREE) is GapKind.DEFAULT


def test_the_branch_into_missing_lines_is_no_gap_of_its_own() -> None:
    region = only({9, 10}, {(8, 9)})
    assert region.branches == ((8, 9),)
    assert region.lines == (9, 10)


def test_a_function_never_entered_is_one_gap() -> None:
    region = only({20}, {(20, -19)})
    assert region.whole
    assert region.function.name == "never"


def test_a_module_never_imported_is_one_gap() -> None:
    lines = {node.lineno for node in ast.walk(TREE) if isinstance(node, ast.stmt)}
    region = only(lines)
    assert kind_of(region, TREE) is GapKind.MODULE
    assert region.lines == tuple(sorted(lines))


def test_lines_apart_in_one_function_are_two_gaps() -> None:
    assert [region.lines for region in regions(measured({3, 9, 10}), TREE)] == [(3,), (9, 10)]


def test_the_property_that_executes_little_else_comes_nearest() -> None:
    contexts = {
        2: ("replay|strategies.requests", "P1|strategies.requests", "P9|strategies.follows"),
        4: ("P1|strategies.requests",),
        8: ("P9|strategies.follows", "P1|strategies.requests"),
    }
    near = nearest(only({9, 10}, {(8, 9)}), measured({9, 10}, {(8, 9)}, contexts))
    assert near.line == 8
    assert near.properties == ("P9", "P1")
    assert near.strategies == ("strategies.follows", "strategies.requests")


def test_nobody_comes_near_a_function_never_entered() -> None:
    assert nearest(only({20}), measured({20})).properties == ()
