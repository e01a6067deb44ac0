"""How surely a failure repeats in fresh workers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from fuzz.contain.outcome import Fate
from fuzz.engines.model import Case, Trial
from fuzz.findings.model import Confirmation
from fuzz.findings.shrink import Shrunk
from fuzz.findings.signature import signatures
from fuzz.properties.model import Cost
from fuzz.properties.registry import properties
from targets.contract import TargetKind

CONFIRMATIONS = 3
"""Fresh workers a failure is replayed in before it is shrunk."""
REPLAYS = 10
"""Fresh workers in which a shrunk case must fail, every time; the rate of a flaky one is taken over as many."""
REPLAYS_WHEN_UNSURE = 30
"""The same once a case has shown the failure and then not: of many such cases the first to repeat ten times may be one
that does so by chance."""
REPLAYING = 10.0
"""Seconds after which a slow case has been replayed often enough, if it was as often as before shrinking."""
REPLAYING_WHEN_UNSURE = 30.0
"""The same once a case has shown the failure and then not."""
HUNG = Confirmation(attempts=1, repeated=1)
"""Of a hang: each replay would take the full deadline, and one was made."""


class Bench(Protocol):
    """Where cases are run for findings: as by a campaign's harness, but who calls chooses properties and renewals."""

    def judge(self, case: Case, codes: tuple[str, ...] | None, *, hasty: bool = False) -> Trial:
        """Run one case and judge it by these properties; None is every applicable one.

        With `hasty` a call counts as hung much earlier, measured by how long cases take otherwise.
        """

    def renew(self, *, thorough: bool = False) -> None:
        """The next case runs in a fresh worker; with `thorough` what outlives workers is fresh, too: a server."""


Steady = Callable[[Case], Case]
"""The case leaving less to chance; the same if there is nothing to do."""


@dataclass(frozen=True)
class Suspect:
    """A failing trial, which of its failures is meant, and the properties that tell it; None is every one."""

    trial: Trial
    signature: str
    codes: tuple[str, ...] | None


def confirm(bench: Bench, suspect: Suspect, *, further: bool) -> Confirmation:
    """How often it repeats; of a further case for a flaky finding only whether it always does."""
    if suspect.trial.outcome.fate is Fate.HUNG:
        return HUNG
    repeated = _repeat(bench, suspect, CONFIRMATIONS)
    if repeated == CONFIRMATIONS or further:
        return Confirmation(attempts=CONFIRMATIONS, repeated=repeated)
    more = _repeat(bench, suspect, REPLAYS - CONFIRMATIONS)
    return Confirmation(attempts=REPLAYS, repeated=repeated + more)


def simplest(
    bench: Bench,
    shrunk: Shrunk,
    signature: str,
    codes: tuple[str, ...] | None,
    steady: Steady,
    *,
    until: float = math.inf,
) -> tuple[Trial, Confirmation]:
    """The simplest trial of those that shrinking kept which always repeats; if none does, the one that did longest.

    Once a case has shown the failure and then not, what leaves less to chance goes before what is simpler. When
    `time.monotonic()` passes `until`, no further trial is looked at, and one is replayed as often as before shrinking.
    """
    best: tuple[Trial, Confirmation] | None = None
    for trial in _trials(bench, shrunk, signature, codes, steady):
        confirmation = _always(bench, Suspect(trial, signature, codes), unsure=shrunk.unsure, end=until)
        if not confirmation.flaky:
            return trial, confirmation
        if best is None or confirmation.rate > best[1].rate:
            best = trial, confirmation
        if time.monotonic() > until:
            break
    assert best is not None  # there is always what was begun with
    return best


def _trials(
    bench: Bench, shrunk: Shrunk, signature: str, codes: tuple[str, ...] | None, steady: Steady
) -> Iterator[Trial]:
    for trial in shrunk.backwards():
        if shrunk.unsure and (case := steady(trial.case)) != trial.case:
            attempt = bench.judge(case, codes)
            if signature in signatures(attempt):
                yield attempt
        yield trial


def _always(bench: Bench, suspect: Suspect, *, unsure: bool, end: float) -> Confirmation:
    """Many replays, up to the first that does not show the failure."""
    if suspect.trial.outcome.fate is Fate.HUNG:
        return HUNG
    replays, patience = (REPLAYS_WHEN_UNSURE, REPLAYING_WHEN_UNSURE) if unsure else (REPLAYS, REPLAYING)
    until = min(time.monotonic() + patience, end)
    repeated = 0
    while repeated < replays and (repeated < CONFIRMATIONS or time.monotonic() < until):
        if not _repeats(bench, suspect, first=repeated == 0):
            return Confirmation(attempts=repeated + 1, repeated=repeated)
        repeated += 1
    return Confirmation(attempts=repeated, repeated=repeated)


def _repeat(bench: Bench, suspect: Suspect, attempts: int) -> int:
    return sum(_repeats(bench, suspect, first=attempt == 0) for attempt in range(attempts))


def _repeats(bench: Bench, suspect: Suspect, *, first: bool) -> bool:
    bench.renew(thorough=first and may_depend_on_before(suspect.signature))
    return suspect.signature in signatures(bench.judge(suspect.trial.case, suspect.codes))


def may_depend_on_before(signature: str) -> bool:
    """Whether a failure may come from what outlives workers; not if one answer, taken by itself, shows it."""
    head = signature.partition("/")[0]
    return all(found.code != head or found.cost is not Cost.OBSERVES for found in properties(TargetKind.HTTP))
