"""Which properties judge the next case: those that only observe always, of those that run it again one at a time."""

from __future__ import annotations

import random
from collections import Counter

from fuzz.engines.model import Case, Trial
from fuzz.judge import Description
from fuzz.properties.registry import properties
from targets.graph.case import GraphCase
from targets.http.case import HttpCase
from targets.trace import Trace

EXPLORE = 0.1
"""Share of turns given without regard to how often a property had something to compare."""


def is_malformed(case: Case) -> bool:
    """Whether the case is about a named defect; most properties are about valid cases only."""
    match case:
        case Trace(arrivals=parts) | HttpCase(exchanges=parts):
            return any(part.defect is not None for part in parts)
        case GraphCase(defect=defect):
            return defect is not None
    return False


class Rotation:
    """Gives each property its turn; one that rarely finds something to compare in these cases gets fewer."""

    def __init__(self, description: Description, generator: random.Random) -> None:
        self._observing = description.observing
        known = properties(description.kind)
        on_defects = {found.code for found in known if found.malformed}
        self._suits = {found.code: found.suits for found in known}
        self._relating = tuple(code for code in description.relating if code not in on_defects)
        self._on_defects = tuple(code for code in description.relating if code in on_defects)
        self._turns = Counter(dict.fromkeys(self._relating, 1))
        self._checked = Counter(dict.fromkeys(self._relating, 1))
        self._contested = False
        """Whether another property could have had the last turn."""
        self._random = generator

    def next(self, case: Case) -> tuple[str, ...]:
        """Codes to judge this case by."""
        self._contested = False
        if is_malformed(case):
            return (*self._observing, *self._on_defects)
        suited = [code for code in self._relating if self._suits[code](case)]
        self._contested = len(suited) > 1
        return (*self._observing, self._choose(suited)) if suited else self._observing

    def learn(self, trial: Trial) -> None:
        """Count whether the properties had something to compare in the case that `next` was last asked about.

        A turn that no other property could have had takes nothing away from one's share of the others.
        """
        if trial.verdict is None or not self._contested:
            return
        for code in trial.codes or ():
            if code in self._turns:
                self._turns[code] += 1
                self._checked[code] += code in trial.verdict.checked
        # The counts fade, so that a corpus that has moved on is noticed.
        if self._turns.total() > 1000 * max(1, len(self._relating)):
            self._turns = Counter({code: max(1, count // 2) for code, count in self._turns.items()})
            self._checked = Counter({code: max(1, count // 2) for code, count in self._checked.items()})

    def _choose(self, suited: list[str]) -> str:
        if self._random.random() < EXPLORE:
            return self._random.choice(suited)
        # Fewest turns first, so that a property whose cases are rare gets them; but where most turns were of no use,
        # it would eat the whole budget.
        weights = [self._checked[code] / self._turns[code] ** 2 for code in suited]
        return self._random.choices(suited, weights)[0]
