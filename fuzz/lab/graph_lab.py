"""The lab of a graph target: runners by knob settings, and the runs of the case in hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from fuzz.lab.lab import Tally
from targets.contract import KnobValue, Target
from targets.graph.case import GraphCase
from targets.graph.contract import CancelsGraphs, RunsGraphs
from targets.graph.domain import DEFAULT_GRAPH_DOMAIN, GraphDomain
from targets.graph.result import GraphResult
from targets.graph.script import Script


class GraphLab:
    """Runs graph cases on one target. Runners are kept from case to case: a run must not change the next one.

    Only one that still has active nodes is not: among those it could not be seen which of them the next case leaves.

    Raises whatever `target.load` raises. What a runner raises, other than `GraphRejected`, passes through.
    """

    def __init__(
        self,
        target: Target,
        device: str = "cpu",
        dtype: str = "float32",
        recorded: Mapping[str, GraphResult] | None = None,
    ) -> None:
        self.target = target
        self.domain: GraphDomain = target.graphs or DEFAULT_GRAPH_DOMAIN
        self.recorded = recorded or {}
        """Results of earlier versions by the content hash of their case."""
        self.model = target.load(device, dtype)
        self._defaults: dict[str, KnobValue] = {knob.name: knob.default for knob in target.knobs}
        self._runners: dict[tuple[tuple[str, KnobValue], ...], RunsGraphs] = {}
        self.tally = Tally()
        self._case: GraphCase | None = None
        self._base: GraphResult | None = None

    @property
    def bench(self) -> RunsGraphs:
        """A runner with default knobs; it tells the capabilities."""
        return self.runner({})

    def begin(self, case: GraphCase) -> GraphCase:
        """Take up a case and forget the last one."""
        for key, runner in tuple(self._runners.items()):
            if isinstance(runner, CancelsGraphs) and runner.settle():
                runner.close()
                del self._runners[key]
        self.tally = Tally()
        self._case = case
        self._base = None
        return case

    @property
    def seen(self) -> GraphResult | None:
        """The result of the case in hand, if a property has run it."""
        return self._base

    def base(self, case: GraphCase) -> GraphResult:
        """The case, run as it is; once for each case in hand."""
        if self._case is not case:
            self.begin(case)
        if self._base is None:
            self._base = self.run(case)
        return self._base

    def run(
        self, case: GraphCase, *, script: Script | None = None, knobs: Mapping[str, KnobValue] | None = None
    ) -> GraphResult:
        """Run a case, perhaps with another script or other knobs."""
        runner = self.runner({**case.knobs, **(knobs or {})})
        return runner.run(case.config, case.inputs, script or case.script)

    def runner(self, knobs: Mapping[str, KnobValue]) -> RunsGraphs:
        """The runner with these knobs."""
        settings = {name: knobs.get(name, default) for name, default in self._defaults.items()}
        key = tuple(settings.items())
        if key not in self._runners:
            self._runners[key] = cast("RunsGraphs", self.target.open(self.model, **settings))
        return self._runners[key]

    def close(self) -> None:
        """Close every runner."""
        for runner in self._runners.values():
            runner.close()
        self._runners.clear()


def with_config(case: GraphCase, **fields: object) -> GraphCase:
    """The case with fields of its config replaced."""
    return msgspec.structs.replace(case, config=msgspec.structs.replace(case.config, **fields))
