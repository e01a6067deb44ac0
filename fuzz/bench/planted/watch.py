"""The harness of a hunt: a campaign's harness that counts, and notes when the bug's code runs."""

from __future__ import annotations

import time
from collections import deque

from fuzz.bench.planted.spent import processor_seconds
from fuzz.campaign.harness import ContainedHarness
from fuzz.engines.model import Case, Trial

KEPT = 20
"""Cases that reached the bug without a failure, for a closer look."""


class WatchedHarness:
    """Counts what an engine runs."""

    def __init__(self, inner: ContainedHarness, arms: tuple[int, ...]) -> None:
        self._inner = inner
        self._arms = arms
        self._began = time.monotonic()
        self._cpu = processor_seconds()
        self.executions = 0
        self.reached = 0
        self.reaching: deque[Case] = deque(maxlen=KEPT)
        self.failed_at: tuple[int, float, float] | None = None
        """Executions, processor seconds and seconds at the first failure."""
        self.failure: Trial | None = None
        """The first failure."""

    @property
    def probes(self) -> memoryview:
        """The branch-arm map."""
        return self._inner.probes

    @property
    def restarts(self) -> int:
        """Workers lost so far."""
        return self._inner.restarts

    def run(self, case: Case) -> Trial:
        """Run and judge a case."""
        trial = self._inner.run(case)
        self.executions += 1
        ran = any(self._inner.probes[arm] for arm in self._arms)
        self.reached += ran
        if trial.failed and self.failed_at is None:
            self.failed_at = (self.executions, self.cpu_seconds(), self.seconds())
            self.failure = trial
        elif (ran or not self._arms) and not trial.failed:
            self.reaching.append(case)
        return trial

    def seconds(self) -> float:
        """Seconds since the harness was made."""
        return time.monotonic() - self._began

    def cpu_seconds(self) -> float:
        """Processor seconds since the harness was made, of this process and everything it started."""
        return processor_seconds() - self._cpu
