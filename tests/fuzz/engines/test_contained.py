"""Engines over real workers that crash and hang."""

from __future__ import annotations

from collections import Counter

import pytest

from fuzz.contain.outcome import Fate
from fuzz.contain.supervisor import Supervisor
from fuzz.engines.choice import choose, has_atheris
from fuzz.engines.model import Case, Failed, Finished, Plan, Trial
from fuzz.engines.novelty import features_of
from fuzz.probes.plan import ProbePlan, plan_probes
from targets.codec import encode
from tests.fuzz.engines.fragile import TARGET
from tests.fuzz.engines.toy import Letters, LetterSpace


class WorkerHarness:
    def __init__(self, supervisor: Supervisor, plan: ProbePlan) -> None:
        self.fates: Counter[Fate] = Counter()
        self._supervisor = supervisor
        self._plan = plan

    @property
    def probes(self) -> memoryview:
        return self._supervisor.shared

    @property
    def restarts(self) -> int:
        return self._supervisor.restarts

    def run(self, case: Case) -> Trial:
        self.probes[:] = bytes(self._plan.size)
        outcome = self._supervisor.call(encode(case))
        self.fates[outcome.fate] += 1
        return Trial(case, outcome, None)


@pytest.fixture
def harness() -> object:
    plan = plan_probes([TARGET])
    with Supervisor("tests.fuzz.engines.fragile:serve", b"", deadline=0.2, shared=plan.size) as supervisor:
        yield WorkerHarness(supervisor, plan)


SEEDS = (Letters((255, 0, 0, 0)), Letters((0, 255, 0, 0)), Letters((0, 0, 0, 0)))


@pytest.mark.parametrize(
    "name",
    [
        "guided",
        "hypothesis",
        pytest.param("atheris", marks=pytest.mark.skipif(not has_atheris(), reason="atheris has no wheel here")),
    ],
)
def test_lost_workers_do_not_end_a_campaign(harness: WorkerHarness, name: str) -> None:
    engine, _ = choose(name)
    events = list(engine(harness, LetterSpace(), Plan(seed=1, executions=150, seeds=SEEDS)))
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.progress.executions == sum(harness.fates.values()) == 150
    assert last.progress.restarts >= harness.fates[Fate.CRASHED] + harness.fates[Fate.HUNG] >= 2
    assert {event.outcome.fate for event in events if isinstance(event, Failed)} == {Fate.CRASHED, Fate.HUNG}


def test_the_arms_on_the_way_to_a_crash_survive_the_worker(harness: WorkerHarness) -> None:
    assert harness.run(Letters((255, 0, 0, 0))).outcome.fate is Fate.CRASHED
    crashed = features_of(harness.probes).tolist()
    harness.run(Letters((0, 0, 0, 0)))
    completed = features_of(harness.probes).tolist()
    assert crashed
    assert not set(crashed) & set(completed)
