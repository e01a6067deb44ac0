"""Runs a campaign: starts job processes, gathers their events, keeps the budget, ends cleanly."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from fuzz.campaign.events import Advanced, Broken, Ended, JobEvent
from fuzz.campaign.plan import CampaignPlan, JobPlan, Unit, slots
from fuzz.campaign.state import CampaignState
from fuzz.contain import system
from fuzz.corpus.store import own_folder
from fuzz.engines.model import Progress
from fuzz.findings import store
from targets.errors import UsageError

GRACE = 1.5
"""Seconds after its end that a job may use to finish a call, before its process group is ended."""
TICK = 0.25

Listener = Callable[[CampaignState], None]
"""Called after every event and at least four times a second."""


def run_campaign(plan: CampaignPlan, listener: Listener) -> CampaignState:
    """Run to the end of the budget, or until interrupted (then `interrupted` is set in the returned state).

    Findings are stored under `<folder>/findings` when they are made, so nothing is lost whatever happens later.
    """
    state = CampaignState(plan)
    events: queue.Queue[tuple[int, Unit, JobEvent] | None] = queue.Queue()
    stopping = threading.Event()
    threads = [
        threading.Thread(target=_run_slot, args=(plan, index, parts, events, stopping), daemon=True)
        for index, parts in enumerate(slots(plan))
    ]
    for thread in threads:
        thread.start()
    open_slots = len(threads)
    while open_slots:
        try:
            item = events.get(timeout=TICK)
            if item is None:
                open_slots -= 1
            else:
                _take(state, *item)
        except queue.Empty:
            pass
        except KeyboardInterrupt:
            state.interrupted = True
            stopping.set()
        listener(state)
    return state


def _take(state: CampaignState, job: int, unit: Unit, event: JobEvent) -> None:
    changed = state.apply(job, unit, event)
    if changed is None:
        return
    folder = Path(state.plan.folder) / "findings"
    while state.absorbed:
        store.remove(folder, state.absorbed.pop())
    try:
        store.write(folder, changed)
    except UsageError as error:
        state.notes.append(str(error))


def _run_slot(
    plan: CampaignPlan,
    slot: int,
    parts: tuple[tuple[Unit, float], ...],
    events: queue.Queue[tuple[int, Unit, JobEvent] | None],
    stopping: threading.Event,
) -> None:
    began = time.time()
    used = 0.0
    try:
        for part, (unit, seconds) in enumerate(parts):
            if stopping.is_set():
                break
            used += seconds
            number = slot + part * plan.jobs
            job = _job_plan(plan, unit, number, slot, began + used)
            for event in _run_job(job, stopping):
                events.put((number, unit, event))
    finally:
        events.put(None)


def _job_plan(plan: CampaignPlan, unit: Unit, number: int, slot: int, until: float) -> JobPlan:
    cores = system.cores()
    return JobPlan(
        unit=unit,
        engine=plan.engine,
        seed=plan.seed + number,
        until=until,
        codes=plan.codes,
        executions=plan.executions,
        corpus=str(own_folder(Path(plan.folder), unit.target)),
        deadline=plan.deadline,
        memory=plan.memory,
        schema=plan.schema,
        core=cores[slot] if plan.jobs > 1 and len(cores) >= plan.jobs else None,
    )


def _run_job(job: JobPlan, stopping: threading.Event) -> Iterator[JobEvent]:
    """The events of one job process. Its standard input stays open; closing it tells the job to stop."""
    command = [sys.executable, "-m", "fuzz.campaign.job"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin and process.stdout and process.stderr
    complaints = _Tail(process.stderr)
    watch = threading.Thread(target=_keep_budget, args=(process, process.stdin, job.until, stopping), daemon=True)
    watch.start()
    ended = False
    progress: Progress | None = None
    try:
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        process.stdin.flush()
        for line in process.stdout:
            event = msgspec.json.decode(line, type=JobEvent)
            ended = ended or isinstance(event, Ended | Broken)
            progress = event.progress if isinstance(event, Advanced) else progress
            yield event
        process.wait()
        if not ended and not stopping.is_set() and time.time() < job.until:
            yield Broken(message=_obituary(process.returncode, complaints.text()), ours=True)
        elif not ended and progress is not None:
            yield Ended(reason="ended amid a case", progress=progress)
    finally:
        _end_group(process)


def _keep_budget(process: subprocess.Popen[bytes], stdin: IO[bytes], until: float, stopping: threading.Event) -> None:
    """Ask the job to stop when the campaign is interrupted, and end its group when it overruns its time."""
    asked_at: float | None = None
    while process.poll() is None:
        if stopping.is_set() and asked_at is None:
            asked_at = time.time()
            with contextlib.suppress(OSError):
                stdin.close()
        end = until if asked_at is None else min(until, asked_at)
        if time.time() > end + GRACE:
            _end_group(process)
            return
        time.sleep(0.05)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _obituary(code: int, complaints: str) -> str:
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"a job process ended by itself ({how}) without a last word.\n{complaints}".rstrip()


class _Tail:
    """Keeps the last lines of a stream, so that a full pipe never blocks its writer."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines: deque[bytes] = deque(maxlen=40)
        self._thread = threading.Thread(target=self._drain, args=(stream,), daemon=True)
        self._thread.start()

    def _drain(self, stream: IO[bytes]) -> None:
        self._lines.extend(stream)

    def text(self) -> str:
        self._thread.join(timeout=1.0)
        return b"".join(self._lines).decode(errors="replace").strip()
