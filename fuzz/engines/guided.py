"""The guided engine: value mutation under a small scheduler of ours; runs wherever Python does."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Iterator

from fuzz.engines.loop import drive
from fuzz.engines.model import Case, CaseSpace, Event, Harness, Plan, Trial
from fuzz.engines.novelty import Features, Novelty
from fuzz.engines.outbox import Outbox
from fuzz.engines.schedule import Schedule, Seed
from fuzz.engines.shares import Shares
from fuzz.engines.stage import dealt, parts_of
from fuzz.engines.tally import survived
from targets.codec import encode

FLOORS = {"fresh": 0.1, "crossover": 0.1, "mutation": 0.4}
ENERGY = 4
"""Cases made of one pick before the next one."""


def guided(harness: Harness, space: CaseSpace, plan: Plan) -> Iterator[Event]:
    """Coverage-guided fuzzing: see `fuzz.engines.model.Engine`."""
    novelty = Novelty(len(harness.probes))
    return drive("guided", GuidedChooser(space, plan, novelty), harness, plan, novelty)


class GuidedChooser:
    """Seeds first; then fresh cases, mutants and crossings, each by what it has brought, of the rarest cases.

    A stage of the space is dealt in between. A case of it that failed is told after its parts, which say more.
    """

    def __init__(self, space: CaseSpace, plan: Plan, novelty: Novelty) -> None:
        self._space = space
        self._random = random.Random(plan.seed)
        self._seeds = list(reversed(plan.seeds))
        self._schedule = Schedule(novelty.hits)
        self._shares = Shares(FLOORS)
        self._parts: list[Case] = []
        self._whole: Trial | None = None
        """The failing trial that the parts are of."""
        self._way = ""
        self._staged = False
        self._parent: Case | None = None
        self._energy = 0
        self._errors = 0
        self.outbox = Outbox()

    @property
    def corpus(self) -> int:
        """Cases that brought something new."""
        return len(self._schedule)

    def choose(self) -> Case:
        """The next case."""
        self._way = ""
        self._staged = False
        if self._seeds:
            return self._seeds.pop()
        if self._parts:
            return self._parts.pop()
        self._tell_whole()
        if (staged := dealt(self._space, self._random)) is not None:
            self._staged = True
            return staged
        self._way = self._shares.choose(self._random) if self.corpus else "fresh"
        match self._way:
            case "mutation":
                return self._guarded(self._mutant)
            case "crossover":
                return self._guarded(self._crossing)
        return self._space.generate(self._random)

    def learn(self, trial: Trial, features: Features, new: Features) -> None:
        """Keep the case if it brought anything."""
        if self._way:
            self._shares.learn(self._way, len(new) > 0)
        if len(new):
            self._schedule.add(Seed(trial.case, len(encode(trial.case))), features)
        elif len(features) and survived(trial):
            self._schedule.drift(trial.case, features, lambda: len(encode(trial.case)))
        if trial.failed and self._staged and (parts := parts_of(self._space, trial.case)):
            self._parts, self._whole = parts, trial
        elif trial.failed:
            self.outbox.failures.append(trial)

    def close(self) -> None:
        """Say what has not been said yet, and how many more errors there were."""
        self._tell_whole()
        if self._errors > 1:
            self.outbox.notes.append(
                f"{self._errors} mutations failed with errors of ours; fresh cases took their place"
            )

    def _tell_whole(self) -> None:
        if self._whole is not None:
            self.outbox.failures.append(self._whole)
            self._whole = None

    def _guarded(self, make: Callable[[], Case]) -> Case:
        try:
            return make()
        except Exception:  # noqa: BLE001 - our defect: said once, and the campaign goes on
            self._errors += 1
            if self._errors == 1:
                self.outbox.notes.append(f"a mutation failed, which is an error of ours:\n{traceback.format_exc()}")
            return self._space.generate(self._random)

    def _mutant(self) -> Case:
        return self._space.mutate(self._next_parent(), self._random)

    def _crossing(self) -> Case:
        return self._space.crossover(self._next_parent(), self._schedule.pick(self._random), self._random)

    def _next_parent(self) -> Case:
        if self._parent is None or self._energy == 0:
            self._parent = self._schedule.pick(self._random)
            self._energy = ENERGY
        self._energy -= 1
        return self._parent
