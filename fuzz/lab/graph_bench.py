"""Judging graph runners: the lab behind the interface that the worker entry uses for every kind of target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from fuzz.lab.features import bucket, magnitude
from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.model import Property, Verdict, Violation
from targets.contract import Target
from targets.graph.case import GraphCase
from targets.graph.contract import WritesScripts
from targets.graph.result import GraphResult


class GraphBench:
    """Judges graph cases on one target."""

    case_type: type[Any] = GraphCase

    def __init__(self, target: Target, device: str, dtype: str, measured: dict[str, float]) -> None:
        del measured
        self._lab = GraphLab(target, device, dtype)
        self.probe: object = self._lab.bench

    def judge(self, case: GraphCase, chosen: Sequence[Property]) -> Verdict:
        """The verdict of these properties on a case."""
        lab = self._lab
        lab.begin(case)
        first: dict[str, Violation] = {}
        checked: list[str] = []
        vacuous: list[str] = []
        for found in chosen:
            before = lab.tally.looked + lab.tally.compared
            for violation in found.check(lab, case):
                first.setdefault(violation.signature, _with_script(lab, case, violation))
            (checked if lab.tally.looked + lab.tally.compared > before else vacuous).append(found.code)
        seen = {bucket(*parts) for parts in _labels(lab, case)}
        return Verdict(
            violations=tuple(first.values()),
            checked=tuple(checked),
            vacuous=tuple(vacuous),
            compared=lab.tally.compared,
            excused=lab.tally.excused,
            features=tuple(sorted(seen)),
        )

    def calibrate(self) -> tuple[dict[str, float], dict[str, float]]:
        """Nothing is measured: results of a runner are compared exactly."""
        return {}, {}


def _with_script(lab: GraphLab, case: GraphCase, violation: Violation) -> Violation:
    """The violation with a script that shows the run without us, where the runner can write one."""
    if not isinstance(lab.bench, WritesScripts) or lab.seen is None or case.defect is not None:
        return violation
    script = lab.bench.script_of(case, lab.seen)
    return msgspec.structs.replace(violation, evidence=violation.evidence | {"script": script})


def _labels(lab: GraphLab, case: GraphCase) -> Iterator[tuple[object, ...]]:
    """What the run showed, for native runners that no probe can look into."""
    if case.defect is not None:
        yield ("defect", case.defect.name)
        return
    result = lab.seen
    if result is not None:
        yield from _of_result(result)


def _of_result(result: GraphResult) -> Iterator[tuple[object, ...]]:
    yield ("status", result.status)
    yield ("steps", magnitude(result.stats.steps))
    if result.failure is not None:
        yield ("failure", result.failure.kind)
    for run in result.nodes:
        yield ("visit", run.outcome, len(run.node), magnitude(run.attempts), len(run.taken))
