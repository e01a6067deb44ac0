"""Counts what an engine's cases came to."""

from __future__ import annotations

from collections import Counter

from fuzz.contain.outcome import EFFECTS, Fate
from fuzz.engines.model import Progress, Trial

SURVIVED = frozenset({Fate.COMPLETED, Fate.RAISED, Fate.PANICKED}) | EFFECTS
"""Fates after which the worker goes on. Mutating a case of another fate would cost a worker each time."""


class Tally:
    """Running totals; `progress` is the event made of them."""

    def __init__(self) -> None:
        self.executions = 0
        self._runs = 0
        self._compared = 0
        self._excused = 0
        self._checked: Counter[str] = Counter()

    def count(self, trial: Trial) -> None:
        """Add one case."""
        self.executions += 1
        verdict = trial.verdict
        if verdict is None:
            return
        self._runs += verdict.runs
        self._compared += verdict.compared
        self._excused += verdict.excused
        for code in verdict.checked:
            self._checked[code] += 1

    def progress(self, *, seconds: float, arms: int, corpus: int, restarts: int) -> Progress:
        """The totals so far."""
        return Progress(
            executions=self.executions,
            seconds=seconds,
            arms=arms,
            corpus=corpus,
            runs=self._runs,
            compared=self._compared,
            excused=self._excused,
            checked=dict(self._checked),
            restarts=restarts,
        )


def survived(trial: Trial) -> bool:
    """Whether the worker went on, so that what the case reached may be built upon."""
    return trial.outcome.fate in SURVIVED and not trial.outcome.during_start
