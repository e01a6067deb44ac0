"""The planted scheduler as something that engines can run: in-process, since it cannot crash."""

from __future__ import annotations

from collections.abc import Callable

import fuzz.bench.scheduler as plain
from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines.model import Case, Trial
from fuzz.probes.hook import load_copy
from fuzz.probes.plan import ProbePlan, plan_probes
from fuzz.properties.model import Verdict, Violation
from targets.trace import Trace

_COMPLETED = Outcome(fate=Fate.COMPLETED)


class PlantedHarness:
    """Runs traces on a probed copy of the scheduler and remembers in which execution each condition was first met."""

    def __init__(self) -> None:
        self.plan: ProbePlan = plan_probes([plain.__name__])
        self.probes = memoryview(bytearray(self.plan.size))
        self.restarts = 0
        self.executions = 0
        self.first_met: dict[str, int] = {}
        self._clear = bytes(self.plan.size)
        self._scheduler = load_copy(plain.__name__, self.plan, self.probes)
        self._run: Callable[[Trace], frozenset[str]] = self._scheduler.run

    def run(self, case: Case) -> Trial:
        """Run one trace; every condition it meets is a violation."""
        assert isinstance(case, Trace)
        self.probes[:] = self._clear
        met = self._run(case)
        self.executions += 1
        for name in met:
            self.first_met.setdefault(name, self.executions)
        return Trial(case, _COMPLETED, Verdict(violations=tuple(_violation(name) for name in sorted(met))))


def _violation(name: str) -> Violation:
    return Violation(code="PLANTED", slug=name, message=f"the scheduler met the planted condition {name}")
