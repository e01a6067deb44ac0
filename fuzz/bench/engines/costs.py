"""What probes and bookkeeping cost, measured on the planted scheduler."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from hypothesis.strategies import SearchStrategy

import fuzz.bench.engines.scheduler as plain
from fuzz.bench.engines.planted import PlantedHarness
from fuzz.campaign.spaces import TraceSpace
from fuzz.engines.guided import guided
from fuzz.engines.model import Case, Plan, Trial
from fuzz.probes.hook import load_copy
from fuzz.probes.plan import plan_probes
from targets.trace import Trace


def probe_ratio(space: TraceSpace, *, cases: int = 100, rounds: int = 15) -> float:
    """Time of probed runs (the map cleared before each case) divided by that of plain runs.

    Each trace is run in turn by both, and its quickest run by each counts: other load on the machine only ever adds.
    """
    generator = random.Random(0)
    traces = [case for case in (space.generate(generator) for _ in range(cases)) if isinstance(case, Trace)]
    plan = plan_probes([plain.__name__])
    probes = memoryview(bytearray(plan.size))
    clear = bytes(plan.size)
    probed = load_copy(plain.__name__, plan, probes).run

    def run_probed(trace: Trace) -> None:
        probes[:] = clear
        probed(trace)

    pairs = [_quickest((plain.run, run_probed), trace, rounds) for trace in traces]
    return sum(pair[1] for pair in pairs) / sum(pair[0] for pair in pairs)


def engine_seconds(space: TraceSpace, *, cases: int = 1500, seeds: int = 5) -> tuple[float, float]:
    """Processor seconds a case of the guided engine: for making it, and for everything else but running it.

    Of several runs the one that was disturbed least by other load on the machine.
    """
    return min((_measure(space, cases, seed) for seed in range(seeds)), key=sum)


def _measure(space: TraceSpace, cases: int, seed: int) -> tuple[float, float]:
    harness = _TimedHarness()
    timed = _TimedSpace(space)
    began = time.thread_time()
    for _ in guided(harness, timed, Plan(seed=seed, executions=cases)):
        pass
    whole = time.thread_time() - began
    return timed.seconds / cases, (whole - timed.seconds - harness.seconds) / cases


class _TimedHarness(PlantedHarness):
    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def run(self, case: Case) -> Trial:
        began = time.thread_time()
        trial = super().run(case)
        self.seconds += time.thread_time() - began
        return trial


class _TimedSpace:
    """The space, with a watch on the time that its mutators take."""

    def __init__(self, space: TraceSpace) -> None:
        self._space = space
        self.seconds = 0.0

    def generate(self, generator: random.Random) -> Case:
        return self._timed(lambda: self._space.generate(generator))

    def mutate(self, case: Case, generator: random.Random) -> Case:
        return self._timed(lambda: self._space.mutate(case, generator))

    def crossover(self, first: Case, second: Case, generator: random.Random) -> Case:
        return self._timed(lambda: self._space.crossover(first, second, generator))

    def decode(self, data: bytes) -> Case:
        return self._space.decode(data)

    def strategy(self) -> SearchStrategy[Case]:
        return self._space.strategy()

    def _timed(self, make: Callable[[], Case]) -> Case:
        began = time.thread_time()
        case = make()
        self.seconds += time.thread_time() - began
        return case


def _quickest(runs: Sequence[Callable[[Trace], object]], trace: Trace, rounds: int) -> list[float]:
    return [min(times) for times in zip(*([_time(run, trace) for run in runs] for _ in range(rounds)), strict=True)]


def _time(run: Callable[[Trace], object], trace: Trace) -> float:
    began = time.perf_counter()
    run(trace)
    return time.perf_counter() - began
