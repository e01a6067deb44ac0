"""One run of `inferfuzz mutate`, from the target's name to the report."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fuzz.campaign.harness import ContainedHarness
from fuzz.campaign.units import units_of
from fuzz.configuration import Configuration
from fuzz.corpus.atomic import write_atomically
from fuzz.gaps.baseline import baseline_path
from fuzz.gaps.cases import Sources, gather
from fuzz.gaps.collect import Listener
from fuzz.gaps.model import ReplayCase, ReplayPlan
from fuzz.gaps.mutation.model import FORMAT, NOTICED, Bucket, Mutant, MutationReport
from fuzz.gaps.mutation.run import read_mutants, run_mutants
from fuzz.gaps.mutation.score import by_module, by_tier, objections
from fuzz.gaps.mutation.stage import stage
from fuzz.gaps.report import Module, modules_of
from fuzz.judge import versions_of
from targets import registry
from targets.codec import DecodeError, decode
from targets.errors import UsageError


@dataclass(frozen=True)
class MutatePlan:
    """What to mutate."""

    target: str
    root: Path
    configuration: Configuration
    tiers: tuple[str, ...] = ("critical",)
    files: tuple[str, ...] = ()
    """Modules to mutate, as `package/module.py`; empty is all of the tiers."""
    cases: int = 30
    """Cases that each property judges, spread over everything that there is."""
    children: int = 1
    mutants: tuple[str, ...] = ()
    """Names of single mutants to run again; empty is whatever has changed since the last run."""


def mutate(plan: MutatePlan, listener: Listener) -> MutationReport:
    """Stage, run, read. Raises `UsageError` where nothing can be mutated or the clean run fails."""
    started = time.monotonic()
    settings = plan.configuration
    (unit,) = units_of((plan.target,), ("cpu",), ())
    target = registry.find(plan.target)
    modules, notes = modules_of(target, plan.root, settings, plan.tiers)
    chosen = _chosen(modules, plan.files)
    sources = Sources(
        corpus=plan.root / settings.folder / "corpus" / plan.target.replace(":", ".").replace("/", "_"),
        regressions=plan.root / settings.regressions,
    )
    gathered = gather(plan.target, target, sources)
    cases = spread(gathered.cases, plan.cases)
    with ContainedHarness(plan.target, unit.device, unit.dtype, probed=False) as harness:
        codes = harness.description.relating
    replay = ReplayPlan(target=plan.target, device=unit.device, dtype=unit.dtype, files=(), data="", cases=cases)
    folder = (plan.root / settings.folder / "mutation" / baseline_path(Path(), plan.target).stem).resolve()
    stage(folder, target.modules, [module.imported for module in chosen], replay, codes)
    run_mutants(folder, listener, children=plan.children, names=plan.mutants)
    mutants = read_mutants(folder, {module.imported: module.tier for module in chosen})
    before = read_baseline(_path(plan))
    survivors = tuple(mutant for mutant in mutants if mutant.bucket not in (*NOTICED, Bucket.SKIPPED))
    return MutationReport(
        target=plan.target,
        made=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        seconds=time.monotonic() - started,
        versions=versions_of(target) | {"mutmut": importlib.metadata.version("mutmut")},
        cases=len(cases),
        modules=by_module(mutants),
        tiers=by_tier(mutants),
        survivors=survivors,
        reasons=tuple(objections(mutants, settings.tiers, before)),
        new_survivors=_new(survivors, before) if before else None,
        notes=(*notes, *gathered.notes),
    )


def spread(cases: Sequence[ReplayCase], most: int) -> tuple[ReplayCase, ...]:
    """At most so many cases, evenly spaced; regressions always stay, for each of them once showed a bug."""
    kept = [case for case in cases if case.name.startswith("regression ")]
    others = [case for case in cases if not case.name.startswith("regression ")]
    room = max(0, most - len(kept))
    step = max(1.0, len(others) / room) if room else float("inf")
    taken = [others[int(number * step)] for number in range(min(room, len(others)))]
    return (*taken, *kept)


def accept(plan: MutatePlan, report: MutationReport) -> Path:
    """Make a report the baseline. Raises `UsageError` for one of a run that was not finished."""
    path = _path(plan)
    if any(module.buckets.get(Bucket.UNCHECKED) for module in report.modules):
        raise UsageError("Some mutants were not checked, so the result is not accepted as a baseline. Run again first.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    except OSError as error:
        raise UsageError(f"The baseline {path} cannot be written: {error.strerror or error}.") from error
    return path


def read_baseline(path: Path) -> MutationReport | None:
    """The accepted report, or None. Raises `UsageError` for one that cannot be read."""
    try:
        report = decode(path.read_bytes(), MutationReport)
    except FileNotFoundError:
        return None
    except (OSError, DecodeError) as error:
        raise UsageError(f"The baseline {path} cannot be read: {error}. Accept a new one with --accept.") from error
    if report.format != FORMAT:
        raise UsageError(f"The baseline {path} has format {report.format}, this version reads {FORMAT}.")
    return report


def _path(plan: MutatePlan) -> Path:
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
