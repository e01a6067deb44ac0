"""Replaying a finding or a regression, each time in a fresh worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from fuzz.contain.outcome import Outcome
from fuzz.engines.model import Case, Trial
from fuzz.findings import regression, store
from fuzz.findings.confirm import Bench
from fuzz.findings.model import Confirmation, Finding
from fuzz.findings.regression import Regression
from fuzz.findings.signature import signatures
from fuzz.properties.model import Violation
from targets.errors import UsageError

TRIES_WHEN_TIME_DECIDES = 3
"""A failure shown in nine of ten runs is missed by three once in a thousand times."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay needs to know."""

    regression: Regression
    versions: dict[str, str] = {}
    """Versions that the finding was made with, if it was a finding."""
    confirmation: Confirmation | None = None
    """How often the finding repeated, if it was a finding."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What the replays showed."""

    times: int
    runs: int
    """More than `times` where a replay did not fail as it should and was tried again."""
    failed: int
    """Runs that failed in any way."""
    same: int
    """Replays that failed in the finding's way."""
    signatures: tuple[str, ...]
    """Everything the last replay showed."""
    violations: tuple[Violation, ...]
    outcome: Outcome
    case: msgspec.Raw


def recipe(folder: Path, name: str, *, original: bool = False) -> Recipe:
    """What a finding's id, or the path of a finding or regression file, says. Raises `UsageError`."""
    path = Path(name)
    if path.suffix == ".json" and path.exists():
        return _from_file(path, original=original)
    return _from_finding(store.find(folder, name), original=original)


def tries(confirmation: Confirmation | None, *, timed: bool) -> int:
    """Runs that a replay may take before the failure counts as gone; more than one where chance decides."""
    seldom = confirmation.runs_to_show if confirmation else 1
    return max(seldom, TRIES_WHEN_TIME_DECIDES if timed else 1)


def replay(bench: Bench, case: Case, chosen: Regression, times: int, tries: int = 1) -> Replay:
    """Replay the case so many times; a replay ends with the first run in the finding's way, each in a fresh worker."""
    runs = failed = same = 0
    for _ in range(times):
        trials = list(_tried(bench, case, chosen, tries))
        trial = next((one for one in reversed(trials) if one.failed), trials[-1])
        shown = signatures(trial)
        runs += len(trials)
        failed += sum(one.failed for one in trials)
        same += chosen.signature in shown
    return Replay(
        times=times,
        runs=runs,
        failed=failed,
        same=same,
        signatures=shown,
        violations=trial.verdict.violations if trial.verdict else (),
        outcome=trial.outcome,
        case=chosen.case,
    )


def _tried(bench: Bench, case: Case, chosen: Regression, tries: int) -> Iterator[Trial]:
    for _ in range(tries):
        bench.renew()
        trial = bench.judge(case, chosen.codes or None)
        yield trial
        if chosen.signature in signatures(trial):
            return


def _from_file(path: Path, *, original: bool) -> Recipe:
    found = store.read(path)
    if isinstance(found, Finding):
        return _from_finding(found, original=original)
    try:
        return Recipe(regression=regression.load(path))
    except UsageError as error:
        raise UsageError(f"{path} is neither a finding ({found.reason}) nor a regression ({error}).") from None


def _from_finding(finding: Finding, *, original: bool) -> Recipe:
    chosen = msgspec.structs.replace(finding, case=finding.original) if original else finding
    return Recipe(regression=regression.promoted(chosen), versions=finding.versions, confirmation=finding.confirmation)
