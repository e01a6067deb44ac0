"""What a campaign knows while it runs and when it ends, and how job events change it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import msgspec

from fuzz.campaign.events import Advanced, Broken, Described, Ended, Found, JobEvent, Note
from fuzz.campaign.plan import CampaignPlan, Unit
from fuzz.engines.model import Progress
from fuzz.findings.model import Finding

EXCUSED_LIMIT = 0.01
"""More excused comparisons than this make a run inconclusive (`properties.md` 2.0, rule 3)."""


@dataclass
class JobState:
    """One job: the latest that it said."""

    unit: Unit
    described: Described | None = None
    progress: Progress | None = None
    triage: str = ""
    ended: str = ""
    broken: Broken | None = None


@dataclass
class CampaignState:
    """All jobs and findings of a campaign."""

    plan: CampaignPlan
    started: float = field(default_factory=time.monotonic)
    jobs: dict[int, JobState] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    seen_on: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Finding id to the labels of the units that showed it."""
    absorbed: list[str] = field(default_factory=list)
    """Ids of findings that turned out to be the same as an earlier one."""
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False

    def apply(self, job: int, unit: Unit, event: JobEvent) -> Finding | None:
        """Take in one event; returns the finding that it added or changed, for storing."""
        state = self.jobs.setdefault(job, JobState(unit))
        match event:
            case Described():
                state.described = event
                self._note(*event.notes)
            case Advanced(progress=progress, triage=triage):
                state.progress, state.triage = progress, triage
            case Ended(progress=progress, reason=reason):
                state.progress, state.ended, state.triage = progress, reason, ""
            case Broken():
                state.broken = event
            case Note(text=text):
                self._note(text)
            case Found(finding=finding):
                return self._add(finding, unit)
        return None

    @property
    def seconds(self) -> float:
        """Since the campaign began."""
        return time.monotonic() - self.started

    def total(self, name: str) -> int:
        """Sum of a number of `Progress` over the jobs."""
        return sum(getattr(job.progress, name) for job in self.jobs.values() if job.progress)

    def checked(self) -> dict[str, int]:
        """Property code to the number of cases it judged, over all jobs."""
        counts: dict[str, int] = {}
        for job in self.jobs.values():
            for code, count in (job.progress.checked if job.progress else {}).items():
                counts[code] = counts.get(code, 0) + count
        return counts

    def excused_share(self) -> float:
        """Excused comparisons over all comparisons."""
        compared = self.total("compared")
        return self.total("excused") / compared if compared else 0.0

    def confirmed(self) -> tuple[Finding, ...]:
        """Findings that repeated in every fresh worker."""
        return tuple(finding for finding in self.findings.values() if not finding.confirmation.flaky)

    def flaky(self) -> tuple[Finding, ...]:
        """Findings that did not."""
        return tuple(finding for finding in self.findings.values() if finding.confirmation.flaky)

    def _add(self, finding: Finding, unit: Unit) -> Finding:
        """Keep one finding for one bug: jobs and targets that share a signature share the finding."""
        same = [known.id for known in self.findings.values() if known.id == finding.id or _are_one(known, finding)]
        owner = same[0] if same else finding.id
        if same and self.findings[owner].confirmation.flaky and not finding.confirmation.flaky:
            # One that repeats is not to be hidden in one that did not.
            owner = finding.id
        known_labels = (label for name in (*same, owner) for label in self.seen_on.get(name, ()))
        self.seen_on[owner] = tuple(dict.fromkeys((*known_labels, unit.label)))
        self.findings[owner] = finding if owner == finding.id else _joined(self.findings[owner], finding)
        for other in same:
            if other != owner:
                del self.findings[other]
                self.absorbed.append(other)
        return self.findings[owner]

    def _note(self, *texts: str) -> None:
        self.notes += [text for text in texts if text not in self.notes]


def _are_one(known: Finding, finding: Finding) -> bool:
    names = {finding.signature, *finding.also, *finding.causes}
    return not names.isdisjoint({known.signature, *known.also, *known.causes})


def _joined(kept: Finding, finding: Finding) -> Finding:
    others = sorted({finding.signature, *finding.also} - {kept.signature})
    return msgspec.structs.replace(
        kept,
        also=tuple(dict.fromkeys((*kept.also, *others))),
        variants=tuple(dict.fromkeys((*kept.variants, *finding.variants))),
        duplicates=kept.duplicates + 1,
    )


def exit_code(state: CampaignState) -> int:
    """0 clean, 1 findings, 2 a job could not run, 3 inconclusive, 130 interrupted."""
    from fuzz.cli import EXIT_CLEAN, EXIT_FINDINGS, EXIT_INCONCLUSIVE, EXIT_INTERRUPTED, EXIT_USAGE

    if state.interrupted:
        return EXIT_INTERRUPTED
    if state.confirmed():
        return EXIT_FINDINGS
    if any(job.broken for job in state.jobs.values()):
        return EXIT_USAGE
    return EXIT_INCONCLUSIVE if inconclusive(state) else EXIT_CLEAN


def inconclusive(state: CampaignState) -> tuple[str, ...]:
    """Why a campaign without findings proves nothing; empty if it does."""
    reasons = []
    if state.excused_share() > EXCUSED_LIMIT:
        share = f"{state.excused_share():.1%}"
        reasons.append(f"{share} of the comparisons ended at a near-tie; at most {EXCUSED_LIMIT:.0%} is conclusive")
    ran = {job.unit.label for job in state.jobs.values() if job.progress and job.progress.executions}
    silent = [unit.label for unit in state.plan.units if unit.label not in ran]
    if silent:
        reasons.append(f"nothing was run on {', '.join(silent)}")
    if state.flaky():
        reasons.append(f"{len(state.flaky())} failures did not repeat in every replay")
    return tuple(reasons)
