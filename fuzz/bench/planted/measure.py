"""Holds hunts in processes of their own, several at a time, and gathers what they came to."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from tempfile import TemporaryFile

import msgspec

from fuzz.bench.planted.hunt import PATIENCE
from fuzz.bench.planted.journal import Journal, Key, key_of
from fuzz.bench.planted.model import BugResult, Comparison, Hunt, HuntPlan, PlantedBenchmark
from fuzz.bench.planted.rivals import RIVALS, SCHEMATHESIS, fits
from fuzz.findings.triage import SHRINKING
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
    shrinking: float = SHRINKING

    def plans(self) -> Iterator[HuntPlan]:
        """Every hunt: bug by bug, engine by engine, seed by seed."""
        for bug in self.bugs:
            kind = registry.find(bug.target).kind
            for engine in self.engines:
                if fits(engine, kind):
                    yield from (self._plan(bug, engine, seed) for seed in range(self.seeds))

    def _plan(self, bug: Bug, engine: str, seed: int) -> HuntPlan:
        return HuntPlan(
            bug=bug,
            engine=engine,
            seed=seed,
            seconds=self.seconds,
            linger=self.linger,
            corpus=self.corpus and engine not in RIVALS,
            replays=self.replays,
            shrinking=self.shrinking,
        )


def measure(sweep: Sweep, journal: Journal, progress: Callable[[str], None] = lambda _: None) -> Comparison:
    """Hold every hunt that the journal does not hold yet. `progress` gets a line for each that ended.

    The seeds of a bug follow each other; who wants to know of every bug soon asks for few seeds first, then for more.

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
    done: set[Key] = set()
    taking = threading.Lock()

    def hunt_all(group: Sequence[HuntPlan]) -> None:
        for hunt in hunts_apart(group):
            with taking:
                journal.add(hunt)
                done.add(hunt.key)
                left = (time.monotonic() - began) / len(done) * (len(plans) - len(done))
                progress(f"{len(done)} of {len(plans)}, about {_minutes(left)} left  {told(hunt)}")

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(hunt_all, group) for group in _groups(plans)]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            # The threads wait for their processes, so these have to end first.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in tuple(_running):
                _end_group(process)
            raise


def _groups(plans: Sequence[HuntPlan]) -> list[list[HuntPlan]]:
    """The hunts of one bug by one engine share a process, since loading the target takes longer than most of them."""
    groups: dict[tuple[str, str], list[HuntPlan]] = {}
    for plan in plans:
        groups.setdefault((plan.engine, plan.bug.id), []).append(plan)
    return list(groups.values())


def _excusing(plans: list[HuntPlan], sweep: Sweep, progress: Callable[[str], None]) -> list[HuntPlan]:
    """The plans; those of Schemathesis know what it reports on each target without a bug, in twice the time."""
    targets = {plan.bug.target: plan for plan in plans if plan.engine == SCHEMATHESIS}
    excused: dict[str, tuple[str, ...]] = {}
    for target, plan in targets.items():
        (plain,) = hunts_apart([msgspec.structs.replace(plan, plain=True, seed=sweep.seeds, seconds=2 * plan.seconds)])
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


def hunts_apart(plans: Sequence[HuntPlan]) -> Iterator[Hunt]:
    """Hold hunts of one bug by one engine, one after the other, in a process of their own.

    A bug that is not found comes twice, at last with how far it got. The process group is ended when it takes far too
    long; the hunts that are missing then come with a `problem`.
    """
    longest = STARTING + sum(
        PATIENCE * (plan.seconds + plan.linger) + plan.shrinking + REPLAYING * plan.replays for plan in plans
    )
    missing = {plan.seed: plan for plan in plans}
    with TemporaryFile() as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "fuzz.bench.planted.hunt"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
        )
        _running.add(process)
        timer = threading.Timer(longest, _end_group, [process])
        timer.start()
        try:
            for line in _answer(process, msgspec.json.encode(plans)):
                hunt = msgspec.json.decode(line, type=Hunt)
                missing.pop(hunt.seed, None)
                yield _labelled(hunt, plans[0])
        finally:
            timer.cancel()
            _end_group(process)
            _running.discard(process)
        complaints.seek(0)
        problem = f"the hunt ended without a result:\n{complaints.read().decode(errors='replace')[-2000:]}"
    for plan in missing.values():
        yield _labelled(Hunt(bug=plan.bug.id, seed=plan.seed, problem=problem), plan)


def _answer(process: subprocess.Popen[bytes], question: bytes) -> Iterator[bytes]:
    assert process.stdin is not None and process.stdout is not None
    with process.stdin as stdin, contextlib.suppress(BrokenPipeError):
        stdin.write(question)
    with process.stdout as lines:
        yield from lines


def _labelled(hunt: Hunt, plan: HuntPlan) -> Hunt:
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
