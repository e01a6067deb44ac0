"""The hypothesis engine: generation and shrinking by Hypothesis, crashes and hangs included.

Hypothesis runs in a thread and is handed the trial of each case it draws; the engine's loop runs the cases, so that
events flow while Hypothesis is inside its own loop.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings

from fuzz.engines.loop import drive
from fuzz.engines.model import Case, CaseSpace, Event, Harness, Plan, Trial
from fuzz.engines.novelty import Features, Novelty
from fuzz.engines.outbox import Outbox
from fuzz.findings.signature import signatures
from targets.codec import encode

ROUND = 5000
"""Cases Hypothesis draws before it starts afresh under another seed; its memory grows with them."""
LONGEST_SHRINK = 15.0
"""Seconds that shrinking a failure may take; half of what is left of the plan, if that is less."""

_SETTINGS = settings(
    max_examples=ROUND,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,
    print_blob=False,
    report_multiple_bugs=True,
)


def hypothesis(harness: Harness, space: CaseSpace, plan: Plan) -> Iterator[Event]:
    """Random generation that shrinks what fails: see `fuzz.engines.model.Engine`. A failure is told once, shrunk."""
    return drive("hypothesis", HypothesisChooser(space, plan), harness, plan, Novelty(len(harness.probes)))


class CaseFailed(Exception):  # noqa: N818 - Hypothesis shows it to nobody; it is how a test says that it failed
    """A trial failed. Each kind of failure gets a subclass of its own, by which Hypothesis tells bugs apart."""


class _Stop(BaseException):
    """Ends Hypothesis at once: it handles exceptions as failures of the test, but not this."""


class _RoundEnded:
    """Sent in place of a case: what was found in this round is as small as it gets."""


class Shrinking:
    """Which failures Hypothesis is to shrink in this round, and the smallest case of each."""

    def __init__(self, ends: float | None) -> None:
        self._ends = ends
        self._until = 0.0
        self._done: set[str] = set()
        self._smallest: dict[str, tuple[int, Trial]] = {}
        self._types: dict[str, type[CaseFailed]] = {}

    def judge(self, trial: Trial) -> None:
        """Raise a `CaseFailed` if the trial failed in a way that has not been shrunk yet and there is time for it."""
        kind = next((name for name in signatures(trial) if name not in self._done), None)
        if kind is None:
            return
        if not self._smallest:
            self._until = self._shrink_until()
        elif time.monotonic() > self._until:
            return
        size = len(encode(trial.case))
        if kind not in self._smallest or size <= self._smallest[kind][0]:
            self._smallest[kind] = (size, trial)
        raise self._types.setdefault(kind, type("CaseFailed", (CaseFailed,), {}))(kind)

    def finish(self) -> list[Trial]:
        """The smallest case of each failure of the round; from now on these failures are no news."""
        found = [trial for _, trial in self._smallest.values()]
        self._done.update(self._smallest)
        self._smallest = {}
        return found

    def _shrink_until(self) -> float:
        now = time.monotonic()
        left = LONGEST_SHRINK if self._ends is None else (self._ends - now) / 2
        return now + min(LONGEST_SHRINK, left)


class HypothesisChooser:
    """Seeds first, then what Hypothesis draws, round by round."""

    def __init__(self, space: CaseSpace, plan: Plan) -> None:
        self._space = space
        self._plan = plan
        self._seeds = list(reversed(plan.seeds))
        self._cases: SimpleQueue[Case | type[_RoundEnded] | None] = SimpleQueue()
        self._answers: SimpleQueue[Trial | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._asked = False
        self._drawn = 0
        self._shrinking = Shrinking(None if plan.seconds is None else time.monotonic() + plan.seconds)
        self.outbox = Outbox()
        self.corpus = 0

    def choose(self) -> Case | None:
        """The next case; None if Hypothesis cannot draw any more."""
        if self._seeds:
            return self._seeds.pop()
        if self._thread is None:
            self._thread = threading.Thread(target=self._draw_rounds, name="hypothesis", daemon=True)
            self._thread.start()
        while (case := self._cases.get()) is _RoundEnded:
            self.outbox.failures += self._shrinking.finish()
        self._asked = case is not None
        return case  # type: ignore[return-value]

    def learn(self, trial: Trial, features: Features, new: Features) -> None:
        """Hand the trial to Hypothesis."""
        self.corpus += len(new) > 0
        if self._asked:
            self._asked = False
            self._answers.put(trial)
        elif trial.failed:
            self.outbox.failures.append(trial)

    def close(self) -> None:
        """End Hypothesis; what it was still shrinking is told as small as it is."""
        if self._thread is not None:
            self._answers.put(None)
            self._thread.join(timeout=5.0)
        self.outbox.failures += self._shrinking.finish()

    def _draw_rounds(self) -> None:
        number = self._plan.seed
        try:
            test = self._test()
            while self._draw_round(test, number):
                self._cases.put(_RoundEnded)
                number += 1
        except _Stop:
            return
        except Exception:  # noqa: BLE001 - our defect, or the strategy's: said, and the engine ends
            self.outbox.notes.append(f"Hypothesis cannot draw cases:\n{traceback.format_exc()}")
        self._cases.put(None)

    def _draw_round(self, test: Callable[[], None], number: int) -> bool:
        """Whether the round drew any case. Raises what kept Hypothesis from drawing."""
        self._drawn = 0
        try:
            seed(number)(test)()
        except Exception:
            if not self._drawn:
                raise
            # The failures themselves are known; what Hypothesis makes of them is not needed.
        return self._drawn > 0

    def _test(self) -> Callable[[], None]:
        @_SETTINGS
        @given(self._space.strategy())
        def test(case: Case) -> None:
            self._cases.put(case)
            trial = self._answers.get()
            if trial is None:
                raise _Stop
            self._drawn += 1
            self._shrinking.judge(trial)

        return test
