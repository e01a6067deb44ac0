"""Which faults are tried, given how often each point is passed."""

from __future__ import annotations

from fuzz.lab.faults import faults_of, spread
from targets.contract import FaultPoint


def test_every_pass_of_a_short_run_is_tried() -> None:
    tried = faults_of({"memory": 2, "store": 1, "tool": 0}, 8)

    assert tried == [FaultPoint("memory", 1), FaultPoint("memory", 2), FaultPoint("store", 1)]


def test_in_a_long_run_every_point_has_its_turn() -> None:
    passed = {"memory": 200, "store": 3, "tool": 40}

    tried = faults_of(passed, 6)

    assert sorted(fault.name for fault in tried) == ["memory", "memory", "store", "store", "tool", "tool"]
    assert all(1 <= fault.occurrence <= passed[fault.name] for fault in tried)


def test_the_same_run_is_tried_in_the_same_way() -> None:
    assert faults_of({"memory": 200, "tool": 40}, 6) == faults_of({"memory": 200, "tool": 40}, 6)


def test_different_runs_are_tried_at_different_passes() -> None:
    assert len({faults_of({"memory": count}, 1)[0] for count in range(100, 110)}) > 5


def test_a_long_run_is_left_from_its_beginning_to_its_end() -> None:
    assert spread(range(100), 4) == [0, 33, 66, 99]
