"""The adapter that the README shows is a working target."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.model import Violation
from fuzz.properties.registry import properties
from strategies.graphs import generate_graph_case, graph_space_of, mutate_graph_case
from targets.contract import Target, TargetKind
from targets.registry import load

MOST_LINES = 40


@pytest.fixture(name="target")
def _target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield load("graph_adapter:TARGET")
    for name in ("graph_adapter", "staircase"):
        sys.modules.pop(name, None)


def test_the_adapter_is_under_forty_lines() -> None:
    source = Path(__file__).with_name("graph_adapter.py").read_text()
    assert len([line for line in source.splitlines() if line.strip()]) < MOST_LINES


def test_generated_graphs_hold_on_a_runner_with_its_own_schema(target: Target) -> None:
    assert _violations(target, 60) == []


def test_a_limit_that_is_off_by_one_in_that_runner_is_found(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    runner: ModuleType = sys.modules["staircase"]
    execute = runner.execute
    monkeypatch.setattr(runner, "execute", lambda flow, state, ask, limit: execute(flow, state, ask, limit + 1))
    assert {found.code for found in _violations(target, 20)} == {"G5"}


def _violations(target: Target, count: int) -> list[Violation]:
    lab, space = GraphLab(target), graph_space_of(target)
    generator = random.Random(1)
    found: list[Violation] = []
    for number in range(count):
        case = generate_graph_case(generator, space, malformed=number % 10 == 0)
        if number % 2:
            case = mutate_graph_case(case, generator, space)
        lab.begin(case)
        for judged in properties(TargetKind.GRAPH):
            if all(isinstance(lab.bench, need) for need in judged.needs):
                found += judged.check(lab, case)
    return found
