"""LangGraph as a graph target."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.graphs.compare import difference, order_sensitive
from fuzz.properties.registry import applicable, capability_names
from strategies.graphs import GraphSpace, generate_graph_case, graph_space_of
from targets import registry
from targets.contract import Target, TargetKind
from targets.graph.case import GraphCase
from targets.graph.contract import CancelsGraphs, ForksGraphs, GraphRejected, ResumesGraphs, RunsGraphs
from targets.graph.domain import GraphDomain
from targets.graph.result import RunStatus

pytest.importorskip("langgraph")

from targets.langgraph.standalone import standalone_script


@pytest.fixture(name="target", scope="module")
def _target() -> Target:
    return registry.find("langgraph")


def cases(target: Target, count: int) -> list[GraphCase]:
    small = GraphSpace(domain=target.graphs or GraphDomain(), knobs=target.knobs, blocks=2, large_share=0.0)
    return [generate_graph_case(random.Random(seed), small) for seed in range(count)]


def test_its_capabilities_are_those_of_checkpointed_graphs(target: Target) -> None:
    runner = target.open(None)
    for protocol in (RunsGraphs, ResumesGraphs, ForksGraphs, CancelsGraphs):
        assert isinstance(runner, protocol)


def test_timeouts_and_reserved_characters_are_outside_its_domain(target: Target) -> None:
    space = graph_space_of(target)
    assert "timeout" not in space.domain.node_types
    with pytest.raises(GraphRejected, match=r"nodes\[0\].id = .* a name without"):
        target.open(None).validate({"nodes": [{"id": "a|b", "config": {"type": "entry"}}], "entry": ["a|b"]})


def test_it_agrees_with_the_reference_runner(target: Target) -> None:
    reference = registry.find("graph")
    runner, other = target.open(None), reference.open(None)
    compared = 0
    for case in cases(target, 25):
        if order_sensitive(case.config):
            continue
        found: Any = runner.run(case.config, case.inputs, case.script)
        expected: Any = other.run(case.config, case.inputs, case.script)
        compared += 1
        assert difference(expected, found) == ("", "")
        if expected.status is RunStatus.COMPLETED:
            assert [run.node for run in found.nodes] == [run.node for run in expected.nodes]
    assert compared >= 5


def test_generated_graphs_hold(target: Target) -> None:
    lab = GraphLab(target)
    known = applicable(target, capability_names(lab.bench, TargetKind.GRAPH)).applicable
    for case in cases(target, 5):
        lab.begin(case)
        for judged in known:
            assert list(judged.check(lab, case)) == []


@pytest.mark.parametrize("seed", [3, 7, 10])
def test_a_standalone_script_replays_the_run_without_us(target: Target, tmp_path: Path, seed: int) -> None:
    case = cases(target, seed + 1)[seed]
    result: Any = target.open(None).run(case.config, case.inputs, case.script)
    assert result.status is RunStatus.COMPLETED
    script = tmp_path / "finding.py"
    script.write_text(standalone_script(case, result))
    assert not {"targets", "fuzz", "strategies"} & set(re.findall(r"(?:import|from) (\w+)", script.read_text()))
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    lines = [line.partition(" -> ")[2] for line in ended.stdout.splitlines()]
    assert len(lines) == 5, ended.stderr
    assert len(set(lines)) == 1, ended.stdout
    for name, value in result.state.items():
        assert f"{name!r}: {value!r}" in lines[0]
