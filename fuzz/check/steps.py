"""The steps of a check: each runs one command's work and turns its result into plain data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fuzz.campaign.harness import ContainedHarness, Limits
from fuzz.campaign.plan import CampaignPlan, seconds_of
from fuzz.campaign.runner import run_campaign
from fuzz.campaign.spaces import space_for
from fuzz.campaign.units import units_of
from fuzz.certify.model import CertifyPlan, Status
from fuzz.certify.run import certify
from fuzz.check.model import Conclusion, Problem, StepResult
from fuzz.configuration import Configuration
from fuzz.contain.errors import ContainmentError
from fuzz.contain.system import core_count
from fuzz.findings import regression
from fuzz.findings.regression import Regression
from fuzz.findings.signature import signatures
from fuzz.gaps.mutation.mutate import MutatePlan, mutate
from fuzz.gaps.run import GapsPlan, find_gaps
from fuzz.profiles import Profile
from fuzz.reports.summary import summarise
from targets.errors import UsageError

CERTIFY_LIMIT = 30.0
GAPS_DEADLINE = 60.0


@dataclass(frozen=True)
class Context:
    """What every step needs to know."""

    root: Path
    configuration: Configuration
    profile: Profile
    targets: tuple[str, ...]
    seed: int


@dataclass(frozen=True)
class Planned:
    """A step that will be run."""

    step: str
    target: str
    run: Callable[[], StepResult]


def planned(context: Context) -> Iterator[Planned]:
    """The steps of the profile, in their order."""
    for step in context.profile.steps:
        if step == "properties":
            yield Planned(step, "", lambda: check_properties(context))
            continue
        for target in context.targets:
            yield Planned(step, target, _bound(_BY_NAME[step], context, target))


def run_step(plan: Planned) -> StepResult:
    """The result of a step; what the user got wrong is a result too, so that the other steps still run."""
    started = time.monotonic()
    try:
        found = plan.run()
    except (UsageError, ContainmentError) as error:
        problem = Problem(rule=f"{plan.step}/error", message=str(error))
        summary = str(error).splitlines()[0] if str(error) else type(error).__name__
        found = StepResult(
            step=plan.step, target=plan.target, conclusion=Conclusion.ERROR, summary=summary, problems=(problem,)
        )
    seconds = time.monotonic() - started
    return StepResult(
        step=found.step,
        target=found.target,
        conclusion=found.conclusion,
        seconds=seconds,
        summary=found.summary,
        problems=found.problems,
    )


def check_certificate(context: Context, target: str) -> StepResult:
    """Whether inference works at all."""
    certificate = certify(CertifyPlan(target=target, limit=CERTIFY_LIMIT * context.profile.patience))
    problems = [
        Problem(rule=f"certify/{step.name.replace(' ', '-')}", message=f"{device.device}: {step.detail}")
        for device in certificate.devices
        for step in device.steps
        if step.status is Status.FAILED
    ]
    if certificate.problem:
        problems.append(Problem(rule="certify/import", message=certificate.problem))
    devices = ", ".join(device.device for device in certificate.devices)
    return StepResult(
        step="certify",
        target=target,
        conclusion=Conclusion.PASSED if certificate.certified else Conclusion.FAILED,
        summary=f"on {devices or 'no device'} in {certificate.seconds:.1f} s",
        problems=tuple(problems),
    )


def check_regressions(context: Context, target: str) -> StepResult:
    """Whether what was found once is still mended."""
    paths = sorted((context.root / context.configuration.regressions).glob("*.json"))
    loaded = [(path, regression.load(path)) for path in paths]
    mine = [(path, found) for path, found in loaded if found.target == target]
    problems: list[Problem] = []
    for device, dtype in sorted({(found.device, found.dtype) for _, found in mine}):
        here = [(path, found) for path, found in mine if (found.device, found.dtype) == (device, dtype)]
        problems += _replayed(context, target, device, dtype, here)
    if not mine:
        return StepResult(step="regressions", target=target, conclusion=Conclusion.SKIPPED, summary="there are none")
    return StepResult(
        step="regressions",
        target=target,
        conclusion=Conclusion.FAILED if problems else Conclusion.PASSED,
        summary=f"{len(mine)} replayed, {len(problems)} failed",
        problems=tuple(problems),
    )


def _replayed(
    context: Context, target: str, device: str, dtype: str, found: list[tuple[Path, Regression]]
) -> Iterator[Problem]:
    limits = Limits(deadline=context.configuration.deadline * context.profile.patience)
    with ContainedHarness(target, device, dtype, limits=limits, probed=False) as harness:
        space = space_for(harness.target)
        for path, one in found:
            trial = harness.judge(space.decode(bytes(one.case)), one.codes or None)
            if trial.failed:
                shown = signatures(trial)
                message = f"regression {one.finding} fails again ({', '.join(shown)}): {one.about}"
                yield Problem(rule=shown[0], message=message, path=_relative(path, context.root), line=1)


def check_properties(context: Context) -> StepResult:
    """A campaign over all targets with the profile's budget."""
    settings = context.configuration
    plan = CampaignPlan(
        units=units_of(context.targets, settings.devices, settings.dtypes),
        seconds=seconds_of(context.profile.time),
        jobs=settings.jobs or core_count(),
        seed=context.seed,
        engine=settings.engine,
        folder=str(context.root / settings.folder),
        deadline=settings.deadline * context.profile.patience,
        memory=settings.memory << 20 or None,
    )
    summary = summarise(run_campaign(plan, lambda _state: None))
    if summary.interrupted:
        raise KeyboardInterrupt
    cases = sum(unit.executions for unit in summary.units)
    broken = [
        Problem(rule="properties/error", message=f"{unit.target} on {unit.device}: {unit.problem}")
        for unit in summary.units
        if unit.problem
    ]
    found = [
        Problem(rule=one.signature, message=f"{one.title} ({one.replay})", path=f"{settings.folder}/findings", line=1)
        for one in summary.findings
    ]
    unsure = [Problem(rule="properties/inconclusive", message=reason) for reason in summary.inconclusive]
    conclusions = ((found, Conclusion.FAILED), (broken, Conclusion.ERROR), (unsure, Conclusion.INCONCLUSIVE))
    return StepResult(
        step="properties",
        conclusion=next((conclusion for problems, conclusion in conclusions if problems), Conclusion.PASSED),
        summary=f"{len(summary.checked)} properties, {cases:,} cases, seed {summary.seed}, {len(found)} findings",
        problems=(*found, *broken, *unsure),
    )


def check_gaps(context: Context, target: str) -> StepResult:
    """The coverage tiers."""
    deadline = GAPS_DEADLINE * context.profile.patience
    plan = GapsPlan(target, context.root, context.configuration, deadline=deadline)
    result = find_gaps(plan, lambda _done, _total: None)
    result.discard()
    report = result.report
    failed = {tier.name for tier in report.tiers if not tier.passed}
    tiers = [Problem(rule=f"tier/{tier.name}", message=reason) for tier in report.tiers for reason in tier.reasons]
    gaps = [
        Problem(
            rule=f"gap/{gap.kind.replace(' ', '-')}",
            message=f"{gap.function or 'the module'} is not exercised here: {gap.text}",
            path=gap.path,
            line=gap.line,
            blocking=gap.tier in failed,
        )
        for gap in report.gaps
    ]
    passed = Conclusion.PASSED if report.complete else Conclusion.INCONCLUSIVE
    shown = ", ".join(f"{tier.name} {tier.lines:.1f} / {tier.branches:.1f} %" for tier in report.tiers)
    return StepResult(
        step="gaps",
        target=target,
        conclusion=Conclusion.FAILED if failed else passed,
        summary=f"{shown} (lines / branches), {len(gaps)} gaps",
        problems=(*tiers, *gaps),
    )


def check_mutation(context: Context, target: str) -> StepResult:
    """The mutation score of the critical modules."""
    if "critical" not in context.configuration.tiers:
        why = "the configuration names no critical modules ([tool.inferfuzz.tiers.critical])"
        return StepResult(step="mutation", target=target, conclusion=Conclusion.SKIPPED, summary=why)
    plan = MutatePlan(target, context.root, context.configuration, children=core_count())
    report = mutate(plan, lambda _done, _total: None)
    failing = [Problem(rule="mutation/score", message=reason) for reason in report.reasons]
    survivors = [
        Problem(
            rule=f"mutation/{mutant.bucket.replace(' ', '-')}",
            message=f"{mutant.function} in {mutant.path}: no property notices\n{mutant.diff}",
            blocking=False,
        )
        for mutant in report.survivors
    ]
    shown = ", ".join(f"{tier.name} {tier.score:.2f}" for tier in report.tiers)
    return StepResult(
        step="mutation",
        target=target,
        conclusion=Conclusion.FAILED if failing else Conclusion.PASSED,
        summary=f"score {shown or 'of nothing'}, {len(survivors)} unnoticed",
        problems=(*failing, *survivors),
    )


_BY_NAME: dict[str, Callable[[Context, str], StepResult]] = {
    "certify": check_certificate,
    "regressions": check_regressions,
    "gaps": check_gaps,
    "mutation": check_mutation,
}


def _bound(step: Callable[[Context, str], StepResult], context: Context, target: str) -> Callable[[], StepResult]:
    return lambda: step(context, target)


def _relative(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
