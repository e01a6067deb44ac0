"""Holds hunts in processes of their own, several at a time, and gathers what they came to."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import msgspec

from fuzz.bench.planted.hunt import PATIENCE, SHRINKING
from fuzz.bench.planted.model import BugResult, Hunt, HuntPlan, PlantedBenchmark
from fuzz.bench.planted.rivals import RIVALS
from fuzz.planted.model import Bug

STARTING = 120.0
"""Seconds that a hunt has for loading the target and for its last look, beside its own time."""
REPLAYING = 12.0
"""Seconds that a replay may take: the deadline of a call that hangs, and a fresh worker."""

_running: set[subprocess.Popen[bytes]] = set()


def measure(
    bugs: Sequence[Bug],
    *,
    engine: str,
    seconds: float,
    seeds: int,
    jobs: int,
    linger: float,
    corpus: bool,
    replays: int = 10,
    progress: Callable[[str], None] = lambda _: None,
) -> PlantedBenchmark:
    """Hunt every bug with every seed from 0 on. `progress` gets a line for each hunt that ended.

    Rivals start from nothing, whatever `corpus` says.
    """
    corpus = corpus and engine not in RIVALS
    plans = [
        HuntPlan(bug=bug, engine=engine, seed=seed, seconds=seconds, linger=linger, corpus=corpus, replays=replays)
        for bug in bugs
        for seed in range(seeds)
    ]
    hunts: dict[tuple[str, int], Hunt] = {}
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(hunt_apart, plan) for plan in plans]
        try:
            for future in as_completed(futures):
                hunt = future.result()
                hunts[hunt.bug, hunt.seed] = hunt
                progress(f"{len(hunts)} of {len(plans)}  {told(hunt)}")
        except BaseException:
            # The threads wait for their processes, so these have to end first.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in tuple(_running):
                _end_group(process)
            raise
    results = (
        BugResult(bug=bug.id, group=bug.group, target=bug.target, hunts=tuple(hunts[bug.id, n] for n in range(seeds)))
        for bug in bugs
    )
    return PlantedBenchmark(
        engine=engine, seconds=seconds, seeds=seeds, jobs=jobs, corpus=corpus, results=tuple(results)
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
    if lines:
        return msgspec.json.decode(lines[-1], type=Hunt)
    problem = f"the hunt ended without a result:\n{complaints.decode(errors='replace')[-2000:]}"
    return Hunt(bug=plan.bug.id, seed=plan.seed, problem=problem)


def told(hunt: Hunt) -> str:
    """A hunt in a line."""
    if hunt.problem:
        return f"{hunt.bug} could not be hunted: {hunt.problem}"
    if hunt.found:
        return f"{hunt.bug} found by {hunt.signature} after {hunt.executions} cases, {hunt.cpu_seconds:.1f} s"
    return f"{hunt.bug} not found in {hunt.executions} cases, {hunt.cpu_seconds:.0f} s: {hunt.reach}"


def _end_group(process: subprocess.Popen[bytes]) -> None:
    # The group outlives its leader if a worker does.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
