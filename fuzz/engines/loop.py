"""The loop that all engines share: take a case from whoever chooses, run it, tell what it came to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

from fuzz.engines.model import (
    Case,
    Event,
    Failed,
    Finished,
    Harness,
    NewCoverage,
    Noted,
    Plan,
    Progress,
    Started,
    Trial,
)
from fuzz.engines.novelty import Features, Novelty, features_of
from fuzz.engines.outbox import Outbox
from fuzz.engines.tally import Tally, survived
from targets.codec import encode

REPORT_EVERY = 0.25
"""Seconds between two progress events."""


class Chooser(Protocol):
    """Chooses cases; an engine is the loop over one of these."""

    @property
    def corpus(self) -> int:
        """Cases it builds upon."""

    @property
    def outbox(self) -> Outbox:
        """What it has to tell."""

    def choose(self) -> Case | None:
        """The next case to run; None when there is nothing left to try."""

    def learn(self, trial: Trial, features: Features, new: Features) -> None:
        """What the case came to: its features, and those that no case before had (none if it cost a worker)."""

    def close(self) -> None:
        """Release everything; nothing is chosen afterwards."""


class _Run:
    """One engine run: budget, totals and coverage."""

    def __init__(self, chooser: Chooser, harness: Harness, plan: Plan, novelty: Novelty) -> None:
        self._chooser = chooser
        self._harness = harness
        self._plan = plan
        self._tally = Tally()
        self._novelty = novelty
        self._began = time.monotonic()
        self._reported = self._began

    def spent(self) -> str | None:
        """Why the engine must end, if it must."""
        plan = self._plan
        if plan.executions is not None and self._tally.executions >= plan.executions:
            return "all executions done"
        if plan.seconds is not None and time.monotonic() - self._began >= plan.seconds:
            return "time is up"
        return None

    def progress(self) -> Progress:
        self._reported = time.monotonic()
        return self._tally.progress(
            seconds=self._reported - self._began,
            arms=self._novelty.arms,
            corpus=self._chooser.corpus,
            restarts=self._harness.restarts,
        )

    def tell(self) -> Iterator[Event]:
        """What the chooser has to say."""
        told = self._chooser.outbox.take()
        for message in told.notes:
            yield Noted(message=message)
        for trial in told.failures:
            yield Failed(case=encode(trial.case), outcome=trial.outcome, verdict=trial.verdict, codes=trial.codes)

    def execute(self, case: Case) -> Iterator[Event]:
        trial = self._harness.run(case)
        self._tally.count(trial)
        features = features_of(self._harness.probes)
        new = self._novelty.learn(features) if survived(trial) else features[:0]
        self._chooser.learn(trial, features, new)
        if len(new):
            yield NewCoverage(case=encode(case), arms=self._novelty.arms)
        yield from self.tell()
        if time.monotonic() - self._reported >= REPORT_EVERY:
            yield self.progress()


def drive(engine: str, chooser: Chooser, harness: Harness, plan: Plan, novelty: Novelty) -> Iterator[Event]:
    """Run the chooser's cases until the plan is done, it has none left, or Ctrl-C; closes the chooser at the end."""
    run = _Run(chooser, harness, plan, novelty)
    reason: str | None = None
    try:
        yield Started(engine=engine, seed=plan.seed, corpus=len(plan.seeds))
        while (reason := run.spent()) is None:
            case = chooser.choose()
            yield from run.tell()
            if case is None:
                reason = "nothing left to try"
                break
            yield from run.execute(case)
    except KeyboardInterrupt:
        reason = "interrupted"
    finally:
        chooser.close()
    yield from run.tell()
    yield Finished(reason=reason or "stopped", progress=run.progress())
