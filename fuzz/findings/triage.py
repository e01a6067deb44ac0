"""From a failing trial to a finding: known or new, confirmed in fresh workers, shrunk, named."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from fuzz.contain.outcome import Fate
from fuzz.engines.model import Case, Trial
from fuzz.findings.model import Confirmation, Finding
from fuzz.findings.shrink import Simplify, shrink
from fuzz.findings.signature import identity, signatures
from targets.codec import encode

CONFIRMATIONS = 3
"""Fresh workers a failure is replayed in."""
FLAKY_ATTEMPTS = 10
"""Replays over which the rate is measured when not all confirmations repeat the failure."""


class Bench(Protocol):
    """Where triage runs cases: like the campaign's harness, but the caller says what to judge and when to renew."""

    def judge(self, case: Case, codes: tuple[str, ...] | None) -> Trial:
        """Run one case and judge it by these properties; None is every applicable one."""

    def renew(self) -> None:
        """The next case runs in a fresh worker."""


@dataclass(frozen=True)
class Context:
    """Where a finding comes from; copied into it."""

    target: str
    device: str
    dtype: str
    engine: str
    seed: int
    versions: dict[str, str]


@dataclass
class Triage:
    """Knows the findings so far and turns new failures into findings. One bug, one finding:

    a failure whose signatures are all known is a duplicate; a new one is shrunk, then judged by every property, and
    merged into a known finding when the shrunk case shows that finding's signature too.
    """

    bench: Bench
    simplify: Simplify
    decode: Callable[[bytes], Case]
    context: Context
    findings: dict[str, Finding] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    """Signature to the id of its finding."""

    def is_known(self, trial: Trial) -> bool:
        """Whether every signature of the trial belongs to a finding; then it is counted there."""
        found = signatures(trial)
        if not found or not all(signature in self.known for signature in found):
            return False
        self._count(self.known[found[0]])
        return True

    def take(self, trial: Trial, *, executions: int, seconds: float, until: float) -> Finding | None:
        """The finding that a failing trial makes or extends; None if it is a mere duplicate.

        Confirms and shrinks, until `time.monotonic()` passes `until` at the latest.
        """
        if self.is_known(trial):
            return None
        signature = self._new_signature(trial)
        codes = _codes(signature, trial)
        confirmation = self._confirm(trial.case, signature, codes)
        if confirmation.flaky:
            return self._add(trial, trial, signature, (), confirmation, 0, executions, seconds)
        start = self._literal(trial, signature, codes)
        shrunk = shrink(start, signature, self.simplify, lambda case: self.bench.judge(case, codes), until=until)
        self.bench.renew()
        full = self.bench.judge(shrunk.trial.case, None)
        shown = signatures(full)
        for other in shown:
            if other in self.known and other != signature:
                return self._merge(self.known[other], (signature, *shown))
        final = full if signature in shown else shrunk.trial
        return self._add(trial, final, signature, shown, confirmation, shrunk.steps, executions, seconds)

    def _new_signature(self, trial: Trial) -> str:
        return next(signature for signature in signatures(trial) if signature not in self.known)

    def _confirm(self, case: Case, signature: str, codes: tuple[str, ...] | None) -> Confirmation:
        repeated = self._repeat(case, signature, codes, CONFIRMATIONS)
        if repeated == CONFIRMATIONS:
            return Confirmation(attempts=CONFIRMATIONS, repeated=repeated)
        more = self._repeat(case, signature, codes, FLAKY_ATTEMPTS - CONFIRMATIONS)
        return Confirmation(attempts=FLAKY_ATTEMPTS, repeated=repeated + more)

    def _repeat(self, case: Case, signature: str, codes: tuple[str, ...] | None, attempts: int) -> int:
        repeated = 0
        for _ in range(attempts):
            self.bench.renew()
            repeated += signature in signatures(self.bench.judge(case, codes))
        return repeated

    def _literal(self, trial: Trial, signature: str, codes: tuple[str, ...] | None) -> Trial:
        """The same failure with derived prompts filled in: a literal case shrinks further and reads by itself."""
        if trial.verdict is None or not trial.verdict.literal:
            return trial
        literal = self.bench.judge(self.decode(trial.verdict.literal), codes)
        return literal if signature in signatures(literal) else trial

    def _add(
        self,
        first: Trial,
        final: Trial,
        signature: str,
        shown: tuple[str, ...],
        confirmation: Confirmation,
        steps: int,
        executions: int,
        seconds: float,
    ) -> Finding:
        finding = Finding(
            id=identity(self.context.target, signature),
            title=_title(final, signature),
            signature=signature,
            also=tuple(other for other in shown if other != signature),
            target=self.context.target,
            device=self.context.device,
            dtype=self.context.dtype,
            codes=_codes(signature, first) or (),
            case=msgspec.Raw(encode(final.case)),
            original=msgspec.Raw(encode(first.case)),
            outcome=msgspec.structs.replace(final.outcome, reply=None, case=None),
            violations=final.verdict.violations if final.verdict else (),
            confirmation=confirmation,
            shrink_steps=steps,
            engine=self.context.engine,
            seed=self.context.seed,
            executions=executions,
            seconds=seconds,
            versions=self.context.versions,
        )
        self.findings[finding.id] = finding
        for known in (signature, *finding.also):
            self.known.setdefault(known, finding.id)
        return finding

    def _merge(self, owner: str, shown: tuple[str, ...]) -> Finding:
        finding = self.findings[owner]
        also = tuple(dict.fromkeys((*finding.also, *(other for other in shown if other != finding.signature))))
        for signature in shown:
            self.known.setdefault(signature, owner)
        merged = msgspec.structs.replace(finding, also=also, duplicates=finding.duplicates + 1)
        self.findings[owner] = merged
        return merged

    def _count(self, owner: str) -> None:
        finding = self.findings[owner]
        self.findings[owner] = msgspec.structs.replace(finding, duplicates=finding.duplicates + 1)


def _codes(signature: str, trial: Trial) -> tuple[str, ...] | None:
    """The property of a violation's signature; for a bad outcome those that the trial was judged by."""
    head = signature.partition("/")[0]
    return trial.codes if head in {fate.value for fate in Fate} else (head,)


def _title(trial: Trial, signature: str) -> str:
    if trial.verdict is not None:
        for violation in trial.verdict.violations:
            if violation.signature == signature:
                return violation.message
    outcome = trial.outcome
    detail = outcome.message.splitlines()[0] if outcome.message else ""
    return f"{signature.replace('/', ' ')}: {detail}" if detail else signature.replace("/", " ")


def soon(seconds: float, end: float) -> float:
    """A moment at most `seconds` from now, and not after `end` (both as `time.monotonic()`)."""
    return min(time.monotonic() + seconds, end)
