"""From coverage data to the report: tiers, gaps and what changed since the baseline."""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from fuzz.configuration import Configuration
from fuzz.gaps.baseline import compare
from fuzz.gaps.collect import Collected
from fuzz.gaps.kinds import kind_of
from fuzz.gaps.measure import Measured
from fuzz.gaps.model import FileCoverage, Gap, GapsReport, ReplayPlan, TierResult
from fuzz.gaps.nearest import nearest
from fuzz.gaps.regions import regions
from fuzz.gaps.tiers import judge_tiers, tier_of, unmatched
from fuzz.probes.sources import find_sources
from targets.contract import Target, TargetKind
from targets.errors import UsageError


@dataclass(frozen=True)
class Module:
    """A module to be measured, and the names by which patterns may call it."""

    name: str
    path: str
    """Absolute."""
    shown: str
    """Relative to the project where it lies inside it."""
    tier: str

    @property
    def imported(self) -> str:
        """Path from where the package is imported: `package/module.py`, whatever the layout."""
        return imported_path(self.name, self.path)


def imported_path(name: str, path: str) -> str:
    """`package/module.py` for a module of that name at that place."""
    depth = name.count(".") + (2 if Path(path).name == "__init__.py" else 1)
    return "/".join(Path(path).parts[-depth:])


def modules_of(
    target: Target, root: Path, configuration: Configuration, tiers: tuple[str, ...] = ()
) -> tuple[tuple[Module, ...], tuple[str, ...]]:
    """The modules that the target names, of these tiers (or of all), and notes on those that cannot be measured and
    on misspelt patterns.

    Raises `UsageError` when nothing is left to be measured.
    """
    if target.kind is TargetKind.HTTP and not target.modules:
        raise UsageError(
            f"Target {target.name!r} is a server in a process of its own, of which nothing can be measured from here. "
            "Measure a target that serves in the worker's process and names its packages in Target(modules=...), as "
            "reference-openai does; or run the server itself under coverage.py."
        )
    found: list[Module] = []
    notes: list[str] = []
    names: list[tuple[str, str]] = []
    for source in find_sources(target.modules):
        if source.problem:
            notes.append(f"module {source.name} is not measured: {source.problem}")
            continue
        path = str(Path(source.path).resolve())
        shown = _shown(path, root)
        called = (shown, imported_path(source.name, path))
        if any(fnmatchcase(name, pattern) for name in called for pattern in configuration.gaps.exclude):
            continue
        names.append(called)
        tier = tier_of(called, configuration.tiers)
        if not tiers or tier in tiers:
            found.append(Module(source.name, path, shown, tier))
    misspelt = unmatched(names, configuration.tiers, root)
    if not found and names:
        raise UsageError(
            f"None of the {len(names)} modules of target {target.name!r} is in tier {', '.join(tiers)}. Say which are "
            f"in [tool.inferfuzz.tiers.{tiers[0]}], as paths = [{names[0][0]!r}]. {' '.join(misspelt)}".rstrip()
        )
    if not found:
        raise UsageError(
            f"Target {target.name!r} names no module that can be measured. Name the packages of your engine in "
            f"Target(modules=...). {' '.join(notes)}".rstrip()
        )
    return tuple(found), (*notes, *misspelt)


def build_report(
    plan: ReplayPlan,
    modules: Sequence[Module],
    measured: Sequence[Measured],
    collected: Collected,
    configuration: Configuration,
    versions: Mapping[str, str],
    notes: Sequence[str],
    before: GapsReport | None,
    only_tiers: tuple[str, ...] = (),
) -> GapsReport:
    """The report, compared with the baseline if there is one."""
    by_path = {module.path: module for module in modules}
    files = tuple(_file(entry, by_path[entry.path]) for entry in measured)
    gaps = tuple(gap for entry in measured for gap in gaps_of(entry, by_path[entry.path]))
    once = _comparable(before, versions)
    tiers: dict[str, TierResult] = {tier.name: tier for tier in once.tiers} if once else {}
    journal = collected.journal
    strategies = tuple(sorted({case.strategy for case in plan.cases if case.name in journal.done}))
    lost = [f"case {name} ended the replay ({how}); its coverage is lost" for name, how in journal.lost.items()]
    told = (*_told("raised", journal.raised), *_told("violates", journal.violated))
    return GapsReport(
        target=plan.target,
        device=plan.device,
        made=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        versions=dict(versions),
        cases=len(journal.done),
        properties=journal.codes,
        strategies=strategies,
        only_tiers=only_tiers,
        tiers=judge_tiers(files, configuration.tiers, tiers),
        files=files,
        gaps=gaps,
        changes=compare(_of(once.gaps, only_tiers), _of(gaps, once.only_tiers)) if once else None,
        notes=(
            *notes,
            *_elsewhere(measured),
            *lost,
            *told,
            *_stale(before, versions),
            *_gone(before, journal.codes, strategies),
        ),
        complete=not journal.lost,
    )


def gaps_of(measured: Measured, module: Module) -> tuple[Gap, ...]:
    """The gaps of one file."""
    source = Path(measured.path).read_bytes()
    tree = ast.parse(source, measured.path)
    text = source.decode(errors="replace").splitlines()
    return tuple(
        Gap(
            path=module.shown,
            function=region.function.name,
            line=region.line,
            lines=region.lines,
            branches=region.branches,
            kind=kind_of(region, tree),
            tier=module.tier,
            text=text[region.line - 1].strip() if region.line <= len(text) else "",
            nearest=nearest(region, measured),
        )
        for region in regions(measured, tree)
    )


def _file(measured: Measured, module: Module) -> FileCoverage:
    return FileCoverage(
        path=module.shown,
        module=module.name,
        tier=module.tier,
        lines=len(measured.executed) + len(measured.missing),
        covered_lines=len(measured.executed),
        branches=len(measured.branches),
        covered_branches=len(measured.branches) - len(measured.missing_branches),
    )


def _of(gaps: Sequence[Gap], only_tiers: tuple[str, ...]) -> tuple[Gap, ...]:
    return tuple(gap for gap in gaps if not only_tiers or gap.tier in only_tiers)


def _elsewhere(measured: Sequence[Measured]) -> Iterator[str]:
    if not any(one.executed for one in measured):
        yield (
            "no line of the measured modules was executed: the target runs them in a process of its own, which is not "
            "measured, or Target(modules=...) names others than it uses"
        )


def _told(word: str, cases: Mapping[str, str | tuple[str, ...]]) -> Iterator[str]:
    """One line for all cases of which the same is to be said."""
    by_what: dict[str, list[str]] = {}
    for name, what in cases.items():
        by_what.setdefault(what if isinstance(what, str) else ", ".join(what), []).append(name)
    for what, names in by_what.items():
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"case {names[0]}{others} {word} {what}"


def _shown(path: str, root: Path) -> str:
    return str(Path(path).relative_to(root)) if Path(path).is_relative_to(root) else path


def _minor(versions: Mapping[str, str]) -> str:
    return ".".join(versions.get("python", "").split(".")[:2])


def _comparable(before: GapsReport | None, versions: Mapping[str, str]) -> GapsReport | None:
    return before if before is not None and _minor(before.versions) == _minor(versions) else None


def _gone(before: GapsReport | None, properties: Sequence[str], strategies: Sequence[str]) -> Iterator[str]:
    """What took part in the baseline and no longer does; a likely cause of the gaps that opened."""
    if before is None:
        return
    for code in before.properties:
        if code not in properties:
            yield f"property {code} judged the cases of the baseline and does not take part any more"
    for module in before.strategies:
        if module not in strategies:
            yield f"the baseline had cases such as {module} makes; there is none any more"


def _stale(before: GapsReport | None, versions: Mapping[str, str]) -> tuple[str, ...]:
    """Other versions of Python number lines and branches otherwise."""
    if before is None or _comparable(before, versions):
        return ()
    return (
        f"the baseline was made with Python {before.versions.get('python', 'unknown')}, whose branches are counted "
        "otherwise; it is not compared with. Accept a new one with --accept",
    )
