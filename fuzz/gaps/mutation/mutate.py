"""One run of `inferfuzz mutate`, from the target's name to the report."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fuzz.campaign.harness import ContainedHarness
from fuzz.campaign.units import units_of
from fuzz.configuration import Configuration
from fuzz.gaps import accepted
from fuzz.gaps.baseline import baseline_path
from fuzz.gaps.cases import gather, sources_of
from fuzz.gaps.collect import Listener
from fuzz.gaps.model import ReplayCase, ReplayPlan
from fuzz.gaps.mutation import explained, noticed
from fuzz.gaps.mutation.model import FORMAT, NOTICED, Bucket, Mutant, MutationReport
from fuzz.gaps.mutation.run import read_mutants, records, run_mutants
from fuzz.gaps.mutation.score import by_module, by_tier, objections
from fuzz.gaps.mutation.stage import stage
from fuzz.gaps.report import Module, modules_of
from fuzz.judge import Setup, versions_of
from targets import registry
from targets.contract import Target
from targets.errors import UsageError

QUICK_NOTE = "a quick search: the score is a lower bound, and some survivors may be noticed by a complete one"


@dataclass(frozen=True)
class MutatePlan:
    """What to mutate."""

    target: str
    root: Path
    configuration: Configuration
    tiers: tuple[str, ...] = ("critical",)
    files: tuple[str, ...] = ()
    """Modules to mutate, as `package/module.py`; empty is all of the tiers."""
    cases: int = 120
    """Cases that each property judges, spread over everything that there is."""
    quick: bool = False
    """Judge by the most promising cases alone: a lower bound of the score, in a fraction of the time."""
    children: int = 1
    mutants: tuple[str, ...] = ()
    """Names of single mutants to run again; empty is whatever has changed since the last run."""
    replaces_baseline: bool = False
    """The result is to be accepted, so a baseline that cannot be read is noted and no obstacle."""


def mutate(plan: MutatePlan, listener: Listener) -> MutationReport:
    """Stage, run, read. Raises `UsageError` where nothing can be mutated or the clean run fails."""
    started = time.monotonic()
    before, unreadable = _before(plan)
    target = registry.find(plan.target)
    modules, notes = modules_of(target, plan.root, plan.configuration, plan.tiers)
    chosen = _chosen(modules, plan.files)
    (unit,) = units_of((plan.target,), ("cpu",), ())
    with ContainedHarness(plan.target, unit.device, unit.dtype, probed=False) as harness:
        described = harness.description
    codes = (*described.observing, *described.relating)
    replay, skipped = replay_of(plan, target)
    folder = scratch(plan)
    setup = Setup(target=plan.target, device=unit.device, dtype=unit.dtype, codes=codes)
    stage(folder, target.modules, [module.imported for module in chosen], replay, setup, target.kind, plan.quick)
    run_mutants(folder, listener, children=plan.children, names=plan.mutants, quick=plan.quick)
    mutants = read_mutants(folder, {module.imported: module.tier for module in chosen})
    entries = explained.read(explained_of(plan))
    mutants = explained.explain(mutants, entries)
    survivors = unnoticed(mutants)
    paths = [module.imported for module in chosen]
    noticed_by = Counter(code for notice in noticed.read(folder).values() for code in notice.codes)
    return msgspec.structs.replace(
        report_of(plan, target, mutants, cases=len(replay.cases), started=started),
        reasons=tuple(objections(mutants, plan.configuration.tiers, before)),
        new_survivors=_new(survivors, before) if before else None,
        noticed_by=dict(sorted(noticed_by.items())),
        functions=records(folder, paths),
        notes=(
            *notes,
            *unreadable,
            *(QUICK_NOTE,) * plan.quick,
            *skipped,
            *explained.stale(survivors, entries, paths),
            *_gone(codes, before),
        ),
    )


def report_of(
    plan: MutatePlan, target: Target, mutants: Sequence[Mutant], *, cases: int, started: float
) -> MutationReport:
    """The report on some mutants, without a judgement; `started` is the `time.monotonic()` of the run's beginning."""
    return MutationReport(
        target=plan.target,
        made=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        seconds=time.monotonic() - started,
        versions=versions_of(target) | {"mutmut": importlib.metadata.version("mutmut")},
        cases=cases,
        modules=by_module(mutants),
        tiers=by_tier(mutants),
        survivors=unnoticed(mutants),
    )


def _before(plan: MutatePlan) -> tuple[MutationReport | None, tuple[str, ...]]:
    try:
        return read_baseline(baseline_of(plan)), ()
    except UsageError as error:
        if not plan.replaces_baseline:
            raise
        return None, (f"replaced without a comparison: {error}",)


def replay_of(plan: MutatePlan, target: Target) -> tuple[ReplayPlan, tuple[str, ...]]:
    """The cases that mutants are tested by, and a line for each file that is left out."""
    gathered = gather(plan.target, target, sources_of(plan.root, plan.configuration, plan.target))
    (unit,) = units_of((plan.target,), ("cpu",), ())
    cases = spread(gathered.cases, plan.cases)
    return (
        ReplayPlan(target=plan.target, device=unit.device, dtype=unit.dtype, files=(), data="", cases=cases),
        gathered.notes,
    )


def scratch(plan: MutatePlan, kind: str = "") -> Path:
    """Where the mutants are made."""
    name = baseline_path(Path(), plan.target).stem
    return (plan.root / plan.configuration.folder / "mutation" / f"{name}{kind}").resolve()


def unnoticed(mutants: Sequence[Mutant]) -> tuple[Mutant, ...]:
    """Those that count against the score."""
    return tuple(mutant for mutant in mutants if mutant.bucket not in (*NOTICED, Bucket.SKIPPED))


def spread(cases: Sequence[ReplayCase], most: int) -> tuple[ReplayCase, ...]:
    """At most so many cases: every regression, for each of them once showed a bug, then seeds, then what a campaign
    found, each evenly spaced where there is no room for all.
    """
    kinds: dict[str, list[ReplayCase]] = {"regression": [], "seed": [], "": []}
    for case in cases:
        origin = case.name.partition(" ")[0]
        kinds[origin if origin in kinds else ""].append(case)
    room = max(0, most - len(kinds["regression"]))
    seeds = _spaced(kinds["seed"], room)
    return (*seeds, *_spaced(kinds[""], room - len(seeds)), *kinds["regression"])


def _spaced(cases: Sequence[ReplayCase], room: int) -> list[ReplayCase]:
    if room >= len(cases):
        return [*cases]
    return [cases[int(number * len(cases) / room)] for number in range(room)]


def accept(plan: MutatePlan, report: MutationReport) -> Path:
    """Make a report the baseline. Raises `UsageError` for one of a run that was not finished."""
    path = baseline_of(plan)
    if any(module.buckets.get(Bucket.UNCHECKED) for module in report.modules):
        raise UsageError("Some mutants were not checked, so the result is not accepted as a baseline. Run again first.")
    accepted.write(path, report)
    return path


def read_baseline(path: Path) -> MutationReport | None:
    """The accepted report, or None. Raises `UsageError` for one that cannot be read."""
    return accepted.read(path, MutationReport, FORMAT)


def explained_of(plan: MutatePlan) -> Path:
    """The list of explained survivors; it lies beside the baseline."""
    return baseline_path(plan.root / plan.configuration.gaps.baseline, plan.target).with_suffix(".survivors.toml")


def baseline_of(plan: MutatePlan) -> Path:
    """The accepted report."""
    return baseline_path(plan.root / plan.configuration.gaps.baseline, plan.target).with_suffix(".mutation.json")


def _chosen(modules: Sequence[Module], files: tuple[str, ...]) -> tuple[Module, ...]:
    if not files:
        return tuple(modules)
    known = {name: module for module in modules for name in (module.imported, module.shown, module.name)}
    for name in files:
        if name not in known:
            raise UsageError(f"Module {name!r} is not among those to mutate: {', '.join(m.imported for m in modules)}.")
    return tuple(dict.fromkeys(known[name] for name in files))


def _new(survivors: Sequence[Mutant], before: MutationReport) -> tuple[str, ...]:
    known = {(mutant.path, mutant.function, mutant.diff) for mutant in before.survivors}
    return tuple(mutant.name for mutant in survivors if (mutant.path, mutant.function, mutant.diff) not in known)


def _gone(codes: Sequence[str], before: MutationReport | None) -> list[str]:
    once = before.noticed_by if before else {}
    return [
        f"property {code}, which noticed {once[code]} mutants of the baseline, is gone"
        for code in once
        if code not in codes
    ]
