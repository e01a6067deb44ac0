"""Channels and reducers."""

from __future__ import annotations

import itertools

import pytest

from targets.graph.config import COMMUTATIVE, Channel, GraphConfig, Reducer, Value
from targets.graph.expression import ExpressionError
from targets.graph.script import GraphInputs
from targets.graph.state import ConflictError, WriteError, apply, check_conflicts, initial_state, reduce


@pytest.mark.parametrize(
    ("reducer", "held", "written", "after"),
    [
        (Reducer.LAST, "a", None, None),
        (Reducer.SUM, 1, 2, 3),
        (Reducer.MAX, None, -2, -2),
        (Reducer.MIN, 3, 5, 3),
        (Reducer.APPEND, ["a"], "b", ["a", "b"]),
        (Reducer.APPEND, ["a"], ["b", 1], ["a", "b", 1]),
        (Reducer.UNION, ["b"], ["a", "b"], ["a", "b"]),
    ],
)
def test_a_reducer_joins_a_write(reducer: Reducer, held: Value, written: Value, after: Value) -> None:
    assert reduce(reducer, held, written) == after


@pytest.mark.parametrize("reducer", sorted(COMMUTATIVE))
def test_commutative_reducers_do_not_depend_on_the_order(reducer: Reducer) -> None:
    writes: tuple[Value, ...] = ("b", "a", "b") if reducer is Reducer.UNION else (3, -1, 7)
    start: Value = [] if reducer is Reducer.UNION else 0
    results = []
    for order in itertools.permutations(writes):
        held = start
        for value in order:
            held = reduce(reducer, held, value)
        results.append(held)
    assert all(result == results[0] for result in results)


def test_a_value_that_does_not_fit_names_the_channel() -> None:
    with pytest.raises(WriteError, match=r"channel 'n' \(sum\): 'x' is not a number"):
        apply({"n": Channel(reducer=Reducer.SUM)}, {"n": 0}, [("n", "x")])
    with pytest.raises(WriteError, match="there is no channel 'm'"):
        apply({"n": Channel()}, {"n": 0}, [("m", 1)])
    with pytest.raises(ExpressionError):
        reduce(Reducer.SUM, 0, True)


def test_two_writers_of_a_last_value_are_a_conflict() -> None:
    channels = {"a": Channel(), "n": Channel(reducer=Reducer.SUM)}
    check_conflicts(channels, [[("n", 1)], [("n", 2)]])
    check_conflicts(channels, [[("a", 1), ("a", 2)]])
    with pytest.raises(ConflictError, match="'a'"):
        check_conflicts(channels, [[("a", 1)], [("a", 1)]])


def test_a_run_starts_with_initial_values_variables_and_the_message() -> None:
    config = GraphConfig(nodes=(), state={"n": Channel(reducer=Reducer.SUM), "a": Channel(initial="x"), "b": Channel()})
    inputs = GraphInputs(message="hi", variables={"a": "y"})
    assert initial_state(config, inputs) == {"message": "hi", "n": 0, "a": "y", "b": None}


def test_applying_writes_leaves_the_old_state_alone() -> None:
    before: dict[str, Value] = {"log": ["a"]}
    after = apply({"log": Channel(reducer=Reducer.APPEND)}, before, [("log", "b")])
    assert (before, after) == ({"log": ["a"]}, {"log": ["a", "b"]})
