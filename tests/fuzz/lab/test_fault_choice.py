"""Which faults are tried, given how often each point is passed."""

from __future__ import annotations

from fuzz.lab.faults import faults_of, spread
from targets.contract import FaultPoint


def test_every_pass_of_a_short_run_is_tried() -> None:
    tried = faults_of({"memory": 2, "store": 1, "tool": 0}, 8)

    assert tried == [FaultPoint("memory", 1), FaultPoint("memory", 2), FaultPoint("store", 1)]


def test_a_long_run_is_tried_from_its_beginning_to_its_end() -> None:
    assert spread(range(100), 4) == [0, 33, 66, 99]
