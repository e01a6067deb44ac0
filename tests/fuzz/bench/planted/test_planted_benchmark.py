"""The benchmark of planted bugs: its figures, its table, and one hunt from end to end."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from fuzz.bench.planted.journal import Journal
from fuzz.bench.planted.measure import Sweep, hunts_apart, measure
from fuzz.bench.planted.model import BugResult, Comparison, Hunt, HuntPlan, PlantedBenchmark, Reach, Spread, spread
from fuzz.bench.planted.report import show
from fuzz.planted.load import load_bugs, select, shipped_files
from fuzz.planted.model import Bug
from targets.errors import UsageError


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
        whole_cpu=9.0,
    )


def benchmark(*hunts: Hunt, engine: str = "guided") -> PlantedBenchmark:
    result = BugResult(bug="b", group="CACHE", target="reference-hash", hunts=hunts)
    return PlantedBenchmark(engine=engine, seconds=60, seeds=len(hunts), jobs=1, corpus=True, results=(result,))


def row_of(*benchmarks: PlantedBenchmark) -> str:
    out = io.StringIO()
    show(Comparison(benchmarks=benchmarks), Console(file=out, width=160))
    return next(line for line in out.getvalue().splitlines() if line.startswith("b "))


def sweep(*bugs: Bug, engines: tuple[str, ...] = ("guided",), seconds: float = 30.0) -> Sweep:
    return Sweep(bugs=bugs, engines=engines, seconds=seconds, seeds=1, jobs=1, linger=0.1, corpus=True)


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


def test_a_replay_that_took_a_further_run_counts_as_repeated_and_is_told_apart() -> None:
    again = msgspec.structs.replace(found(0), runs=11)
    score = benchmark(again, msgspec.structs.replace(found(1), runs=10)).score

    assert (score.repeated, score.tried_again) == (2, 1)
    assert "10/10 in 11" in row_of(benchmark(again))


def test_a_finding_that_was_not_replayed_does_not_count_as_repeated() -> None:
    score = benchmark(found(0), msgspec.structs.replace(found(1), replays=0, repeated=0)).score

    assert (score.replayed, score.repeated) == (1, 1)


def test_the_table_tells_how_often_by_what_and_how_far_otherwise() -> None:
    missed = Hunt(bug="b", seed=2, whole_cpu=60.0, reach=Reach.NOT_NOTICED)
    row = row_of(benchmark(found(0, 1.0), found(1, 3.0, repeated=9), missed))

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
        "9.0",
        "(9.0",
        "to",
        "34.5)",
        "not",
        "noticed",
    ]


def test_engines_stand_side_by_side_with_the_median_over_the_seeds_that_found_it() -> None:
    missed = Hunt(bug="b", seed=1)
    row = row_of(benchmark(found(0, 1.0), found(1, 3.0)), benchmark(found(0), missed, engine="atheris"))

    assert row.split() == ["b", "2/2", "2.0", "s", "10", "2", "1/2", "1.0", "s", "10", "2"]


def test_a_sweep_gives_each_engine_the_bugs_that_it_has_cases_for_and_rivals_no_corpus() -> None:
    bugs = [bug_named(name) for name in ("cache-full-hit-leaves-nothing", "graph-limit-off-by-one", "http-no-done")]
    engines = ("guided", "plain-hypothesis", "schemathesis")
    plans = [(plan.engine, plan.bug.id, plan.corpus) for plan in sweep(*bugs, engines=engines).plans()]

    assert plans == [
        ("guided", "cache-full-hit-leaves-nothing", True),
        ("plain-hypothesis", "cache-full-hit-leaves-nothing", False),
        ("guided", "graph-limit-off-by-one", True),
        ("guided", "http-no-done", True),
        ("plain-hypothesis", "http-no-done", False),
        ("schemathesis", "http-no-done", False),
    ]


def test_hunts_of_a_journal_are_not_held_again(tmp_path: Path) -> None:
    bug = bug_named("http-no-done")
    held = msgspec.structs.replace(found(0), bug=bug.id, engine="guided", budget=30.0, corpus=True)
    path = tmp_path / "results.jsonl"
    Journal(path).add(held)
    said: list[str] = []
    comparison = measure(sweep(bug), Journal(path), said.append)

    assert comparison.benchmarks[0].results[0].hunts == (held,)
    assert said == [f"1 of 1 hunts are in {path}"]


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = bug_named("http-no-done"), bug_named("graph-limit-off-by-one")

    def interrupted_at_the_second(plans: Sequence[HuntPlan]) -> Iterator[Hunt]:
        if plans[0].bug == second:
            raise KeyboardInterrupt
        for plan in plans:
            yield msgspec.structs.replace(
                found(plan.seed), bug=plan.bug.id, engine="guided", budget=plan.seconds, corpus=True
            )

    monkeypatch.setattr("fuzz.bench.planted.measure.hunts_apart", interrupted_at_the_second)
    journal = Journal(tmp_path / "results.jsonl")
    comparison = measure(sweep(first, second), journal)

    assert comparison.interrupted
    assert [len(result.hunts) for result in comparison.benchmarks[0].results] == [1, 0]
    assert Journal(journal.path).hunts.keys() == {("guided", "http-no-done", 0, 30.0, True)}


def test_a_hunt_that_could_not_be_held_is_held_again_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    Journal(path).add(Hunt(bug="b", seed=0, problem="no memory"))

    assert Journal(path).hunts == {}


def test_a_line_that_is_no_hunt_is_named(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"bug": "b"}\n')

    with pytest.raises(UsageError, match=r"results\.jsonl, line 1, is no hunt"):
        Journal(path)


def test_a_hunt_of_a_target_that_does_not_open_says_why() -> None:
    bug = bug_named("cache-full-hit-leaves-nothing")
    plan = HuntPlan(
        bug=Bug(**{name: getattr(bug, name) for name in bug.__struct_fields__} | {"target": "nobody"}),
        engine="guided",
        seed=0,
        seconds=1.0,
        linger=0.1,
    )

    (hunt,) = hunts_apart([plan])

    assert "nobody" in hunt.problem


@pytest.mark.slow
def test_every_seed_of_a_bug_is_hunted_as_if_it_were_alone() -> None:
    bug = bug_named("cache-full-hit-leaves-nothing")
    plans = [HuntPlan(bug=bug, engine="guided", seed=seed, seconds=30.0, linger=0.1, replays=0) for seed in (3, 5)]

    together = [(hunt.seed, hunt.executions, hunt.case) for hunt in hunts_apart(plans)]
    alone = [(hunt.seed, hunt.executions, hunt.case) for plan in plans for hunt in hunts_apart([plan])]

    assert together == alone


@pytest.mark.slow
def test_a_hunt_without_time_for_shrinking_finds_the_same_bug_in_a_larger_case() -> None:
    bug = bug_named("cache-full-hit-leaves-nothing")
    plan = HuntPlan(bug=bug, engine="guided", seed=3, seconds=30.0, linger=0.1, replays=0)
    hasty = msgspec.structs.replace(plan, shrinking=0.1)

    (shrunk,), (found,) = list(hunts_apart([plan])), list(hunts_apart([hasty]))

    assert (found.found, found.executions) == (True, shrunk.executions)
    assert len(found.case) > len(shrunk.case)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "code"),
    [("cache-full-hit-leaves-nothing", "P2"), ("graph-limit-off-by-one", "G5"), ("http-no-done", "H41")],
)
def test_a_bug_is_hunted_found_and_shrunk(name: str, code: str) -> None:
    result = measure(sweep(bug_named(name)), Journal()).benchmarks[0].results[0]

    (hunt,) = result.hunts
    assert (hunt.found, hunt.by, hunt.findings, hunt.problem) == (True, code, 1, "")
    assert (hunt.repeated, hunt.replays) == (10, 10)
    assert 1 <= hunt.requests <= 3
    assert hunt.reached


def broken_refusal() -> Bug:
    """Whatever does not fit the schema gets a server error."""
    return msgspec.structs.replace(
        bug_named("http-nan-passes"), before='raise invalid(f"{path', after='raise KeyError(f"{path'
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("engine", "bug"),
    [
        ("plain-hypothesis", bug_named("cache-full-hit-leaves-nothing")),
        ("fuzz-one-input", bug_named("cache-full-hit-leaves-nothing")),
        ("plain-hypothesis", bug_named("http-no-done")),
        ("schemathesis", broken_refusal()),
    ],
    ids=["hypothesis-executor", "bytes-executor", "hypothesis-server", "schemathesis-server"],
)
def test_a_rival_finds_a_bug_that_needs_no_cunning(engine: str, bug: Bug) -> None:
    result = measure(sweep(bug, engines=(engine,), seconds=30.0), Journal()).benchmarks[0].results[0]

    (hunt,) = result.hunts
    assert (hunt.found, hunt.problem) == (True, "")
