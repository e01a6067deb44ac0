"""The planted scheduler as something that engines can run: in-process, since it cannot crash."""

from __future__ import annotations

from collections.abc import Callable

import fuzz.bench.engines.scheduler as plain
from fuzz.bench.engines.discoveries import Discoveries
from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines.model import Case, Trial
from fuzz.probes.hook import load_copy
from fuzz.probes.plan import ProbePlan, plan_probes
from fuzz.properties.model import Verdict
from targets.trace import Trace

_COMPLETED = Outcome(fate=Fate.COMPLETED)
_PASSED = Verdict()


class PlantedHarness:
    """Runs traces on a probed copy of the scheduler. Conditions are accounted for, not failures, so none stops it."""

    def __init__(self) -> None:
        self.plan: ProbePlan = plan_probes([plain.__name__])
        self.probes = memoryview(bytearray(self.plan.size))
        self.restarts = 0
        self.discoveries = Discoveries()
        self._clear = bytes(self.plan.size)
        self._run: Callable[[Trace], frozenset[str]] = load_copy(plain.__name__, self.plan, self.probes).run

    def run(self, case: Case) -> Trial:
        """Run one trace."""
        assert isinstance(case, Trace)
        self.probes[:] = self._clear
        self.discoveries.ran(self._run(case))
        return Trial(case, _COMPLETED, _PASSED)
