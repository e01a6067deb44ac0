"""The containment benchmark: that it measures what it says; its figures are for a quiet machine."""

from __future__ import annotations

import msgspec
import pytest

from fuzz.bench.containment import ContainmentBenchmark, render, run, soak, throughput
from fuzz.bench.containment.model import Goal, Recovery, Soak, Throughput

SOAK = Soak(
    faults=10,
    seed=1,
    seconds=2.0,
    wrong=("loop (call 3): completed",),
    unrecorded=(),
    unavailable=("sigill-c",),
    memory_before=10,
    memory_after=20,
    descriptors_before=9,
    descriptors_after=9,
    processes_left=0,
)
BENCHMARK = ContainmentBenchmark(
    call_seconds=0.001,
    payload_bytes=10_000,
    throughputs=tuple(
        Throughput(name=name, calls_per_second=1000.0, ratio=ratio, spread=(ratio, ratio))
        for name, ratio in (("bare", 1.0), ("loop", 0.99), ("call", 0.9))
    ),
    recoveries=(Recovery(fault="a crash", samples=3, median_seconds=0.003, worst_seconds=0.1),),
    torch_import_seconds=1.2,
    soak=SOAK,
)


def goal(name: str) -> Goal:
    return next(goal for goal in BENCHMARK.goals() if name in goal.name)


def test_goals_are_met_or_missed_by_their_bounds() -> None:
    assert goal("loop").met
    assert not goal("request and reply").met
    assert goal("ready again after a crash").met
    assert not goal("wrong outcomes").met
    assert goal("processes left").met


def test_the_report_shows_every_figure_and_what_was_missed() -> None:
    text = render(BENCHMARK)
    for part in ("0.990 of bare", "median    3.0 ms", "1200 ms", "wrong: loop (call 3)", "sigill-c", "MISSED request"):
        assert part in text


def test_the_result_is_plain_data() -> None:
    again = msgspec.json.decode(msgspec.json.encode(BENCHMARK), type=ContainmentBenchmark)
    assert again == BENCHMARK


def test_throughput_is_measured_for_every_contender() -> None:
    rows = throughput.measure(rounds=2, calls=2, count=100, payload_bytes=1000)
    assert [row.name for row in rows][:4] == ["bare", "loop", "call", "concurrent.futures"]
    assert rows[0].ratio == 1.0
    assert all(row.calls_per_second > 0 for row in rows)


def test_a_short_soak_finds_every_outcome_right_and_nothing_left() -> None:
    result = soak.measure(faults=15, seed=3)
    assert (result.wrong, result.unrecorded, result.processes_left) == ((), (), 0)
    assert result.descriptors_after == result.descriptors_before


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_thousand_faults_leave_every_outcome_right_and_the_supervisor_flat() -> None:
    said: list[str] = []
    result = run(rounds=2, calls=2, recoveries=2, faults=1000, seed=11, progress=said.append)
    assert result.soak is not None
    assert (result.soak.wrong, result.soak.unrecorded) == ((), ())
    missed = [goal.name for goal in result.goals() if goal.name.startswith("soak") and not goal.met]
    assert missed == []
    assert len(said) == 4
