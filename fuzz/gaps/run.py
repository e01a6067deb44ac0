"""One run of `inferfuzz gaps`, from the target's name to the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import coverage

from fuzz.campaign.units import units_of
from fuzz.configuration import Configuration
from fuzz.gaps import baseline
from fuzz.gaps.cases import gather, sources_of
from fuzz.gaps.collect import Collected, Listener, collect
from fuzz.gaps.measure import combined, measurements
from fuzz.gaps.model import GapsReport, ReplayCase, ReplayPlan
from fuzz.gaps.report import build_report, modules_of
from fuzz.judge import versions_of
from targets import registry
from targets.errors import UsageError


@dataclass(frozen=True)
class GapsPlan:
    """What to measure."""

    target: str
    root: Path
    """Folder of the project; patterns and shown paths are relative to it."""
    configuration: Configuration
    device: str = "cpu"
    tiers: tuple[str, ...] = ()
    """Names of the tiers to look at; empty is all."""
    cases: tuple[str, ...] = ()
    """Patterns of the names of cases to replay, such as `seed long-*`; empty is all."""
    generated: int = 0
    """Fresh cases beside corpus and regressions."""
    deadline: float = 60.0
    """Seconds that a case may take under coverage."""
    replaces_baseline: bool = False
    """The result is to be accepted, so a baseline that cannot be read is noted and no obstacle."""


@dataclass(frozen=True)
class GapsResult:
    """The report, what it was compared with, and the coverage data that it was made from."""

    report: GapsReport
    before: GapsReport | None
    data: coverage.Coverage
    files: tuple[str, ...]
    collected: Collected

    def discard(self) -> None:
        """Remove the data, so that the next run measures anew."""
        self.collected.discard()


def find_gaps(plan: GapsPlan, listener: Listener) -> GapsResult:
    """Replay and judge. Raises `UsageError`; an interrupted run is taken up by the next one."""
    settings = plan.configuration
    (unit,) = units_of((plan.target,), (plan.device,), ())
    target = registry.find(plan.target)
    modules, notes = modules_of(target, plan.root, settings, plan.tiers)
    kept = plan.root / settings.folder
    name = baseline.baseline_path(Path(), plan.target).stem
    gathered = gather(plan.target, target, sources_of(plan.root, settings, plan.target, plan.generated))
    chosen = _chosen(gathered.cases, plan.cases)
    before, unread = _before(plan)
    files = tuple(module.path for module in modules)
    replay = ReplayPlan(target=plan.target, device=unit.device, dtype=unit.dtype, files=files, data="", cases=chosen)
    collected = collect(replay, kept / "gaps" / name, plan.deadline, listener)
    data = combined(collected.files, files, collected.folder / "combined")
    measured = measurements(data, files)
    resumed = (f"{collected.resumed} cases were replayed by an earlier run",) if collected.resumed else ()
    report = build_report(
        replay,
        modules,
        measured,
        collected,
        settings,
        versions_of(target) | {"coverage": coverage.__version__},
        (*notes, *gathered.notes, *resumed, *unread),
        before,
        plan.tiers,
    )
    return GapsResult(report, before, data, files, collected)


def _before(plan: GapsPlan) -> tuple[GapsReport | None, tuple[str, ...]]:
    try:
        path = baseline.baseline_path(plan.root / plan.configuration.gaps.baseline, plan.target)
        return baseline.read(path), ()
    except UsageError as error:
        if not plan.replaces_baseline:
            raise
        return None, (str(error),)


def _chosen(cases: Sequence[ReplayCase], patterns: tuple[str, ...]) -> tuple[ReplayCase, ...]:
    for pattern in patterns:
        if not any(fnmatchcase(case.name, pattern) for case in cases):
            raise UsageError(
                f"No case is called {pattern!r}; there are {len(cases)}, such as {cases[0].name!r} and "
                f"{cases[-1].name!r}. Name them as shown, or by a pattern such as 'seed *'."
            )
    return tuple(case for case in cases if not patterns or any(fnmatchcase(case.name, one) for one in patterns))
