"""The benchmark of planted bugs: its figures, its table, and one hunt from end to end."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from fuzz.bench.planted.measure import hunt_apart, measure
from fuzz.bench.planted.model import BugResult, Hunt, HuntPlan, PlantedBenchmark, Reach, Spread, spread
from fuzz.bench.planted.report import show
from fuzz.planted.load import load_bugs, select, shipped_files
from fuzz.planted.model import Bug


def bug_named(name: str) -> Bug:
    return select(load_bugs(shipped_files()), [name])[0]


def found(seed: int, cpu_seconds: float = 1.0, findings: int = 1, repeated: int = 10) -> Hunt:
    return Hunt(
        bug="b",
        seed=seed,
        found=True,
        signature="P13/tokens-differ",
        executions=10,
        cpu_seconds=cpu_seconds,
        requests=2,
        findings=findings,
        replays=10,
        repeated=repeated,
    )


def benchmark(*hunts: Hunt) -> PlantedBenchmark:
    result = BugResult(bug="b", group="CACHE", target="reference-hash", hunts=hunts)
    return PlantedBenchmark(engine="guided", seconds=60, seeds=len(hunts), jobs=1, corpus=True, results=(result,))


def test_a_spread_holds_median_and_quartiles() -> None:
    assert spread([4.0, 1.0, 2.0, 3.0, 5.0]) == Spread(low=2.0, median=3.0, high=4.0)
    assert spread([7.0]) == Spread(low=7.0, median=7.0, high=7.0)
    assert spread([]) is None


def test_a_bug_that_one_seed_of_three_misses_is_found_but_not_reliably() -> None:
    score = benchmark(found(0), found(1, findings=2), Hunt(bug="b", seed=2, reach=Reach.NOT_REACHED)).score

    assert (score.bugs, score.found, score.found_reliably) == (1, 1, 0)
    assert (score.hunts, score.hunts_found, score.one_finding) == (3, 2, 1)


def test_a_finding_that_repeats_nine_times_of_ten_does_not_count_as_repeated() -> None:
    assert benchmark(found(0), found(1, repeated=9)).score.repeated == 1


def test_the_table_tells_how_often_by_what_and_how_far_otherwise() -> None:
    out = io.StringIO()
    missed = Hunt(bug="b", seed=2, reach=Reach.NOT_NOTICED)
    show(benchmark(found(0, 1.0), found(1, 3.0, repeated=9), missed), Console(file=out, width=160))

    row = next(line for line in out.getvalue().splitlines() if line.startswith("b "))
    assert row.split() == [
        "b",
        "2",
        "of",
        "3",
        "P13",
        "10",
        "2.0",
        "(1.5",
        "to",
        "2.5)",
        "2",
        "1",
        "9/10",
        "not",
        "noticed",
    ]


def test_a_hunt_of_a_target_that_does_not_open_says_why() -> None:
    bug = bug_named("cache-full-hit-leaves-nothing")
    plan = HuntPlan(
        bug=Bug(**{name: getattr(bug, name) for name in bug.__struct_fields__} | {"target": "nobody"}),
        engine="guided",
        seed=0,
        seconds=1.0,
        linger=0.1,
    )

    assert "nobody" in hunt_apart(plan).problem


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("cache-full-hit-leaves-nothing", "P2"), ("graph-limit-off-by-one", "G5")])
def test_a_bug_is_hunted_found_and_shrunk(name: str, code: str) -> None:
    result = measure(
        [bug_named(name)], engine="guided", seconds=30.0, seeds=1, jobs=1, linger=0.1, corpus=True
    ).results[0]

    (hunt,) = result.hunts
    assert (hunt.found, hunt.by, hunt.findings, hunt.problem) == (True, code, 1, "")
    assert (hunt.repeated, hunt.replays) == (10, 10)
    assert 1 <= hunt.requests <= 3
    assert hunt.reached
