"""A job process: one engine on one target and device. Reads its plan from standard input, writes events to standard
output as JSON lines, and stops when standard input is closed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from fuzz.campaign.events import Advanced, Broken, Described, Ended, Found, JobEvent, Note
from fuzz.campaign.harness import ContainedHarness, Limits
from fuzz.campaign.plan import JobPlan
from fuzz.campaign.spaces import CampaignSpace, space_for
from fuzz.contain.errors import ContainmentError
from fuzz.corpus.entry import CorpusEntry
from fuzz.corpus.store import CorpusError, add, load, shipped_seeds
from fuzz.engines.choice import choose
from fuzz.engines.model import Case, Event, Failed, Finished, NewCoverage, Noted, Plan, Progress, Started, Trial
from fuzz.findings.signature import signatures
from fuzz.findings.triage import Context, Triage
from targets.errors import UsageError


def main() -> None:
    """Run the job whose plan is the first line of standard input."""
    # The campaign's own Ctrl-C handling closes our standard input; nothing else ends a job early.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=JobPlan)
    stopping = threading.Event()
    threading.Thread(target=_await_end, args=(sys.stdin.buffer, stopping), daemon=True).start()
    try:
        for event in run_job(plan, stopping):
            events.write(msgspec.json.encode(event) + b"\n")
    except BrokenPipeError:
        pass  # the campaign has gone, and nobody is left to tell
    except (UsageError, ContainmentError) as error:
        _last_word(events, Broken(message=str(error), ours=False))
    except Exception:  # noqa: BLE001 - whatever it is, it is our defect and the campaign must hear of it
        _last_word(events, Broken(message=traceback.format_exc(), ours=True))


def _await_end(stream: IO[bytes], stopping: threading.Event) -> None:
    stream.read()
    stopping.set()


def _last_word(events: IO[bytes], event: Broken) -> None:
    with contextlib.suppress(BrokenPipeError):
        events.write(msgspec.json.encode(event) + b"\n")


def run_job(plan: JobPlan, stopping: threading.Event) -> Iterator[JobEvent]:
    """Open the target, run the engine until the plan's end, turn failures into findings.

    Raises `UsageError` if the target cannot be opened.
    """
    unit = plan.unit
    engine, note = choose(plan.engine)
    name = getattr(engine, "__name__", plan.engine)
    limits = Limits(plan.deadline, plan.memory, plan.core)
    with ContainedHarness(
        unit.target, unit.device, unit.dtype, limits=limits, codes=plan.codes, seed=plan.seed
    ) as harness:
        schema = harness.description.schema if plan.schema else b""
        space = space_for(harness.target, harness.plan.constants.integers, schema)
        corpus, problems = _load_corpus(plan, space)
        yield Described(
            engine=name,
            applicable=(*harness.description.observing, *harness.description.relating),
            missing=harness.description.missing,
            versions=harness.description.versions,
            corpus=len(corpus),
            notes=tuple(text for text in (note, *problems) if text),
        )
        job = _Job(plan, harness, space, name)
        left = max(0.1, plan.until - time.time())
        wanted = Plan(seed=plan.seed, seconds=left, executions=plan.executions, seeds=corpus)
        for event in engine(harness, space, wanted):
            yield from job.take(event)
            if stopping.is_set():
                break
        yield from job.closing()
        yield Ended(reason="stopped" if stopping.is_set() else "budget spent", progress=job.progress)


class _Job:
    """What a job knows while its engine runs."""

    def __init__(self, plan: JobPlan, harness: ContainedHarness, space: CampaignSpace, engine: str) -> None:
        self.progress = _NOTHING
        self._plan = plan
        self._space = space
        unit = plan.unit
        versions = harness.description.versions
        context = Context(unit.target, unit.device, unit.dtype, engine, plan.seed, versions)
        self._triage = Triage(harness, space.simplify, space.decode, context, space.neighbours, space.steady)
        self._folder = Path(plan.corpus) if plan.corpus else None

    def take(self, event: Event) -> Iterator[JobEvent]:
        """What the campaign is to hear of an engine's event."""
        match event:
            case Progress() | Finished(progress=Progress()):
                self.progress = event if isinstance(event, Progress) else event.progress
                yield Advanced(progress=self.progress)
            case NewCoverage(case=case):
                yield from self._keep(self._space.decode(case))
            case Failed():
                yield from self._judge(event)
            case Noted(message=message):
                yield Note(text=message)
            case Started():
                pass

    def closing(self) -> Iterator[Found]:
        """Findings as they are at last: what was counted as one of them since it was made is in it now."""
        for finding in self._triage.findings.values():
            if finding.duplicates:
                yield Found(finding=finding)

    def _keep(self, case: Case) -> Iterator[Note]:
        if self._folder is None:
            return
        try:
            add(self._folder, CorpusEntry.of(case))
        except CorpusError as error:
            # The campaign goes on without keeping its corpus; one note says so.
            self._folder = None
            yield Note(text=f"{error} The corpus of {self._plan.unit.label} is not kept.")

    def _judge(self, event: Failed) -> Iterator[JobEvent]:
        trial = Trial(self._space.decode(event.case), event.outcome, event.verdict, event.codes)
        if self._triage.is_known(trial):
            return
        yield Advanced(progress=self.progress, triage=f"shrinking {signatures(trial)[0]}")
        end = time.monotonic() + self._plan.until - time.time()
        for finding in self._triage.take(
            trial,
            executions=self.progress.executions,
            seconds=self.progress.seconds,
            until=end,
        ):
            yield Found(finding=finding)
        yield Advanced(progress=self.progress)


_NOTHING = Progress(executions=0, seconds=0.0, arms=0, corpus=0, compared=0, excused=0)


def _load_corpus(plan: JobPlan, space: CampaignSpace) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """The shipped seeds and the target's corpus, and a line for each file that cannot be read."""
    folders = [shipped_seeds(), *([Path(plan.corpus)] if plan.corpus else [])]
    cases: list[Case] = []
    problems: list[str] = []
    for folder in folders:
        try:
            loaded = load(folder)
        except CorpusError as error:
            problems.append(str(error))
            continue
        problems += map(str, loaded.skipped)
        cases += [space.adapt(stored.case) for stored in loaded.entries if stored.entry.kind == space.kind]
    return tuple(cases), tuple(problems)


if __name__ == "__main__":
    main()
