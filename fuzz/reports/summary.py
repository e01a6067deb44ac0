"""The closing summary of a campaign as plain data: what was run, found, not applicable, and excused."""

from __future__ import annotations

import msgspec

from fuzz.campaign.state import CampaignState, exit_code, inconclusive
from fuzz.findings.model import Finding


class UnitSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One target on one device, all its jobs together."""

    target: str
    device: str
    dtype: str
    engine: str
    executions: int
    rate: float
    """Cases a second, the jobs that ran side by side added up."""
    arms: int
    corpus: int
    workers_lost: int
    problem: str = ""
    """Why it could not run, or could not go on."""


class FindingSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of findings shows; the rest is in the finding's file."""

    id: str
    title: str
    signature: str
    also: tuple[str, ...]
    seen_on: tuple[str, ...]
    attempts: int
    repeated: int
    requests: int
    """Requests in the shrunk case; 0 for cases that have none."""
    replay: str
    variants: tuple[str, ...] = ()
    """What was seen of several that have this one cause."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign that is over."""

    seconds: float
    seed: int
    exit_code: int
    units: tuple[UnitSummary, ...]
    findings: tuple[FindingSummary, ...]
    flaky: tuple[FindingSummary, ...]
    checked: dict[str, int]
    """Property code to the number of cases that it judged."""
    not_applicable: dict[str, dict[str, str]]
    """Target to property code to the reason."""
    runs: int
    """Traces run on executors; properties run most cases several times."""
    compared: int
    excused: int
    inconclusive: tuple[str, ...]
    interrupted: bool
    notes: tuple[str, ...]
    folder: str


def summarise(state: CampaignState) -> Summary:
    """The summary of a state, at any time."""
    return Summary(
        seconds=state.seconds,
        seed=state.plan.seed,
        exit_code=exit_code(state),
        units=_units(state),
        findings=tuple(_finding(state, finding) for finding in state.confirmed()),
        flaky=tuple(_finding(state, finding) for finding in state.flaky()),
        checked=dict(sorted(state.checked().items())),
        not_applicable={
            job.unit.target: job.described.missing for job in state.jobs.values() if job.described is not None
        },
        runs=state.total("runs"),
        compared=state.total("compared"),
        excused=state.total("excused"),
        inconclusive=inconclusive(state),
        interrupted=state.interrupted,
        notes=tuple(state.notes),
        folder=state.plan.folder,
    )


def _units(state: CampaignState) -> tuple[UnitSummary, ...]:
    rows: dict[str, UnitSummary] = {}
    for job in state.jobs.values():
        progress = job.progress
        before = rows.get(job.unit.label)
        rows[job.unit.label] = UnitSummary(
            target=job.unit.target,
            device=job.unit.device,
            dtype=job.unit.dtype,
            engine=job.described.engine if job.described else state.plan.engine,
            executions=(progress.executions if progress else 0) + (before.executions if before else 0),
            rate=(progress.rate if progress else 0.0) + (before.rate if before else 0.0),
            arms=max(progress.arms if progress else 0, before.arms if before else 0),
            corpus=max(progress.corpus if progress else 0, before.corpus if before else 0),
            workers_lost=(progress.restarts if progress else 0) + (before.workers_lost if before else 0),
            problem=job.broken.message if job.broken else (before.problem if before else ""),
        )
    return tuple(rows.values())


def _finding(state: CampaignState, finding: Finding) -> FindingSummary:
    case = msgspec.json.decode(finding.case)
    return FindingSummary(
        id=finding.id,
        title=finding.title,
        signature=finding.signature,
        also=finding.also,
        seen_on=state.seen_on.get(finding.id, ()),
        attempts=finding.confirmation.attempts,
        repeated=finding.confirmation.repeated,
        requests=len(case.get("arrivals") or case.get("exchanges", ())),
        replay=finding.replay,
        variants=finding.variants,
    )
