from __future__ import annotations

import msgspec
import pytest

from fuzz.bench.engines import baselines, planted_space, render, run, scheduler, search
from fuzz.bench.engines.discoveries import Discovery, Search
from fuzz.bench.engines.model import EnginesBenchmark, contestant
from fuzz.engines.choice import has_atheris


def found(seed: int, **cases: int) -> Search:
    first = {name: Discovery(count, count / 100) for name, count in cases.items()}
    return Search(contestant="x", seed=seed, cases=1000, seconds=10.0, first=first)


def test_a_condition_counts_as_found_when_half_of_the_seeds_met_it() -> None:
    made = contestant("x", [found(0, a=10, b=5), found(1, a=30), found(2, a=20, b=7)], ("a", "b", "c"))
    assert made.found == (2, 1, 2)
    assert made.cases == {"a": 20.0, "b": 7.0, "c": None}
    assert made.seconds["a"] == 0.2


def test_time_until_all_needs_all() -> None:
    half = contestant("x", [found(0, a=10)], ("a", "b", "c"))
    assert (half.median_cases, half.hardest_cases) == (None, None)
    whole = contestant("x", [found(0, a=10, b=40, c=20)], ("a", "b", "c"))
    assert (whole.median_cases, whole.hardest_cases, whole.hardest_seconds) == (20.0, 40.0, 0.4)


@pytest.mark.parametrize("engine", ["guided", "hypothesis"])
def test_an_engine_searches_the_planted_scheduler(engine: str) -> None:
    made = search(engine, 0.5, 1)
    assert made.cases > 0
    assert set(made.first) <= set(scheduler.CONDITIONS)


def test_hypothesis_alone_stops_by_itself_and_counts_its_cases() -> None:
    made = baselines.hypothesis_alone(3.0, 1)
    assert made.cases > 0


@pytest.mark.skipif(not has_atheris(), reason="atheris has no wheel for this platform")
def test_byte_fuzzing_answers_from_its_process() -> None:
    made = baselines.bytes_to_hypothesis(1.0, 1)
    assert (made.contestant, made.seed) == (baselines.BYTES, 1)


def test_the_whole_benchmark_is_plain_data_and_text() -> None:
    benchmark = run(seconds=0.3, seeds=1, cases=60)
    assert msgspec.json.decode(msgspec.json.encode(benchmark), type=EnginesBenchmark) == benchmark
    text = render(benchmark)
    assert all(f"  {made.name}" in text for made in benchmark.contestants)
    assert all(condition in text for condition in benchmark.conditions)
    assert benchmark.probe_ratio > 0


def test_constants_of_the_scheduler_reach_the_mutators() -> None:
    assert 37 in planted_space().space.constants
