"""Which way of choosing cases finds planted, state-dependent conditions soonest, and what the engines' parts cost."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.bench.engines import baselines, costs, scheduler
from fuzz.bench.engines.discoveries import Search
from fuzz.bench.engines.model import EnginesBenchmark, contestant
from fuzz.bench.engines.planted import PlantedHarness
from fuzz.bench.engines.report import render
from fuzz.campaign.spaces import TraceSpace
from fuzz.engines.choice import ENGINES, choose, has_atheris
from fuzz.engines.model import Plan
from fuzz.probes.plan import plan_probes
from strategies.space import Space
from strategies.stage import TraceStage

__all__ = ["EnginesBenchmark", "render", "run"]

Contest = Callable[[float, int], Search]
"""Searches for so many seconds with a seed."""


def run(
    *,
    seconds: float = 10.0,
    seeds: int = 3,
    cases: int = 1500,
    progress: Callable[[str], None] = lambda _: None,
) -> EnginesBenchmark:
    """Run every contestant for `seconds` with each of `seeds` seeds, one after the other, then measure the costs.

    The costs are those of so many `cases`. `progress` gets a line before each part.
    """
    contests, left_out = _contests()
    contestants = []
    for name, contest in contests.items():
        progress(f"{name}: {seeds} searches of {seconds:g} s")
        searches = [contest(seconds, seed) for seed in range(seeds)]
        contestants.append(contestant(name, searches, scheduler.CONDITIONS))
    progress("costs of probes and bookkeeping")
    mutation, bookkeeping = costs.engine_seconds(planted_space(), cases=cases)
    return EnginesBenchmark(
        seconds=seconds,
        seeds=seeds,
        conditions=scheduler.CONDITIONS,
        contestants=tuple(contestants),
        left_out=left_out,
        probe_ratio=costs.probe_ratio(planted_space(), cases=max(1, cases // 15)),
        mutation_seconds=mutation,
        bookkeeping_seconds=bookkeeping,
    )


def planted_space() -> TraceSpace:
    """Traces for the planted scheduler, with the constants of its source."""
    constants = plan_probes([scheduler.__name__]).constants.integers
    space = Space(limits=scheduler.LIMITS, constants=constants)
    return TraceSpace(space, TraceStage(space))


def search(engine: str, seconds: float, seed: int) -> Search:
    """One of our engines on the planted scheduler."""
    choose_cases, _ = choose(engine)
    harness = PlantedHarness()
    for _ in choose_cases(harness, planted_space(), Plan(seed=seed, seconds=seconds)):
        pass
    return harness.discoveries.search(engine, seed)


def _contests() -> tuple[dict[str, Contest], dict[str, str]]:
    contests: dict[str, Contest] = {engine: _contest(engine) for engine in ENGINES}
    contests[baselines.ALONE] = baselines.hypothesis_alone
    contests[baselines.BYTES] = baselines.bytes_to_hypothesis
    if has_atheris():
        return contests, {}
    left_out = dict.fromkeys(("atheris", baselines.BYTES), "atheris is not installed")
    return {name: contest for name, contest in contests.items() if name not in left_out}, left_out


def _contest(engine: str) -> Contest:
    def contest(seconds: float, seed: int) -> Search:
        return search(engine, seconds, seed)

    return contest
