"""Holds hunts in processes of their own, several at a time, and gathers what they came to."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import msgspec

from fuzz.bench.planted.hunt import PATIENCE, SHRINKING
from fuzz.bench.planted.journal import Journal, key_of
from fuzz.bench.planted.model import BugResult, Comparison, Hunt, HuntPlan, PlantedBenchmark
from fuzz.bench.planted.rivals import RIVALS, SCHEMATHESIS, fits
from fuzz.planted.model import Bug
from targets import registry

STARTING = 120.0
"""Seconds that a hunt has for loading the target and for its last look, beside its own time."""
REPLAYING = 12.0
"""Seconds that a replay may take: the deadline of a call that hangs, and a fresh worker."""

_running: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True)
class Sweep:
    """What to hunt, and how."""

    bugs: tuple[Bug, ...]
    engines: tuple[str, ...]
    seconds: float
    """Processor time for each bug, engine and seed."""
    seeds: int
    """Every bug is hunted with the seeds from 0 on."""
    jobs: int
    linger: float
    corpus: bool
    """Start from the shipped seeds. Rivals start from nothing, whatever this says."""
    replays: int = 10

    def plans(self) -> Iterator[HuntPlan]:
        """Every hunt, one seed after the other, so that what is measured first says something of every bug."""
        for seed in range(self.seeds):
            for bug in self.bugs:
                kind = registry.find(bug.target).kind
                for engine in self.engines:
                    if fits(engine, kind):
                        yield self._plan(bug, engine, seed)

    def _plan(self, bug: Bug, engine: str, seed: int) -> HuntPlan:
        return HuntPlan(
            bug=bug,
            engine=engine,
            seed=seed,
            seconds=self.seconds,
            linger=self.linger,
            corpus=self.corpus and engine not in RIVALS,
            replays=self.replays,
        )


def measure(sweep: Sweep, journal: Journal, progress: Callable[[str], None] = lambda _: None) -> Comparison:
    """Hold every hunt that the journal does not hold yet. `progress` gets a line for each that ended.

    After Ctrl-C the result is what has been measured.
    """
    plans = list(sweep.plans())
    left = [plan for plan in plans if key_of(plan) not in journal.hunts]
    if len(left) < len(plans):
        progress(f"{len(plans) - len(left)} of {len(plans)} hunts are in {journal.path}")
    interrupted = False
    try:
        _hold(_excusing(left, sweep, progress), sweep.jobs, journal, progress)
    except KeyboardInterrupt:
        interrupted = True
    benchmarks = tuple(_benchmark(engine, sweep, plans, journal) for engine in sweep.engines)
    return Comparison(benchmarks=benchmarks, interrupted=interrupted)


def _hold(plans: Sequence[HuntPlan], jobs: int, journal: Journal, progress: Callable[[str], None]) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(hunt_apart, plan) for plan in plans]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                hunt = future.result()
                journal.add(hunt)
                left = (time.monotonic() - began) / done * (len(plans) - done)
                progress(f"{done} of {len(plans)}, about {_minutes(left)} left  {told(hunt)}")
        except BaseException:
            # The threads wait for their processes, so these have to end first.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in tuple(_running):
                _end_group(process)
            raise


def _excusing(plans: list[HuntPlan], sweep: Sweep, progress: Callable[[str], None]) -> list[HuntPlan]:
    """The plans; those of Schemathesis know what it reports on each target without a bug, in twice the time."""
    targets = {plan.bug.target: plan for plan in plans if plan.engine == SCHEMATHESIS}
    excused: dict[str, tuple[str, ...]] = {}
    for target, plan in targets.items():
        plain = hunt_apart(msgspec.structs.replace(plan, plain=True, seed=sweep.seeds, seconds=2 * plan.seconds))
        excused[target] = plain.reported
        said = plain.problem or ", ".join(plain.reported) or "nothing"
        progress(f"{SCHEMATHESIS} on {target} without a bug reports: {said}")
    return [msgspec.structs.replace(plan, excused=excused.get(plan.bug.target, ())) for plan in plans]


def _benchmark(engine: str, sweep: Sweep, plans: Sequence[HuntPlan], journal: Journal) -> PlantedBenchmark:
    mine = [plan for plan in plans if plan.engine == engine]
    hunts: dict[str, list[Hunt]] = {plan.bug.id: [] for plan in mine}
    for plan in mine:
        if (hunt := journal.hunts.get(key_of(plan))) is not None:
            hunts[plan.bug.id].append(hunt)
    results = (
        BugResult(bug=bug.id, group=bug.group, target=bug.target, hunts=tuple(hunts[bug.id]))
        for bug in sweep.bugs
        if bug.id in hunts
    )
    return PlantedBenchmark(
        engine=engine,
        seconds=sweep.seconds,
        seeds=sweep.seeds,
        jobs=sweep.jobs,
        corpus=sweep.corpus and engine not in RIVALS,
        results=tuple(results),
    )


def hunt_apart(plan: HuntPlan) -> Hunt:
    """Hold one hunt in a process of its own; its group is ended when it takes far too long."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fuzz.bench.planted.hunt"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
    )
    _running.add(process)
    longest = PATIENCE * (plan.seconds + plan.linger) + SHRINKING + STARTING + REPLAYING * plan.replays
    try:
        output, complaints = process.communicate(msgspec.json.encode(plan), timeout=longest)
    except subprocess.TimeoutExpired:
        _end_group(process)
        output, complaints = process.communicate()
    finally:
        _end_group(process)
        _running.discard(process)
    lines = output.splitlines()
    problem = f"the hunt ended without a result:\n{complaints.decode(errors='replace')[-2000:]}"
    hunt = (
        msgspec.json.decode(lines[-1], type=Hunt) if lines else Hunt(bug=plan.bug.id, seed=plan.seed, problem=problem)
    )
    return msgspec.structs.replace(hunt, engine=plan.engine, budget=plan.seconds, corpus=plan.corpus)


def told(hunt: Hunt) -> str:
    """A hunt in a line."""
    name = f"{hunt.engine}: {hunt.bug}"
    if hunt.problem:
        return f"{name} could not be hunted: {hunt.problem}"
    if hunt.found:
        return f"{name} found by {hunt.signature} after {hunt.executions} cases, {hunt.cpu_seconds:.1f} s"
    reach = f": {hunt.reach}" if hunt.reach else ""
    return f"{name} not found in {hunt.executions} cases, {hunt.cpu_seconds:.0f} s{reach}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _end_group(process: subprocess.Popen[bytes]) -> None:
    # The group outlives its leader if a worker does.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
