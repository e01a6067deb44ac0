"""From a failing trial to a finding: known or new, confirmed in fresh workers, shrunk, named."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from fuzz.contain.outcome import Fate
from fuzz.engines.model import Case, Trial
from fuzz.findings.beside import Neighbours, Shown, explains, one_bug
from fuzz.findings.confirm import Bench, Steady, Suspect, confirm, may_depend_on_before, simplest
from fuzz.findings.model import Confirmation, Finding
from fuzz.findings.shrink import Simplify, shrink
from fuzz.findings.signature import identity, is_ours, kin, labels, signatures, variants
from targets.codec import encode

HANG_ATTEMPTS = 5
"""Runs with the full deadline after which a case that hung in haste is taken for slow: some hangs depend on timing."""
SHRINKING = 15.0
"""Seconds that shrinking a finding may take."""
CONFIRMING = 3.0
"""Seconds of what is left that shrinking leaves for what follows it: replays, and a look at other findings."""
BESIDE = 5.0
"""Seconds in which a finding is looked for beside earlier ones."""
FLAKY_CASES = 12
"""Further cases that are tried for a finding that did not repeat: the first may have failed by chance."""


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
    merged into a known finding when the shrunk case shows that finding's signature too, or when each shows beside the
    smallest case of the other.
    """

    bench: Bench
    simplify: Simplify
    decode: Callable[[bytes], Case]
    context: Context
    neighbours: Neighbours = lambda _: iter(())
    steady: Steady = lambda case: case
    shrinking: float = SHRINKING
    findings: dict[str, Finding] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    """Signature to the id of its finding."""
    tries: Counter[str] = field(default_factory=Counter)
    """Further cases that were tried, by the id of a finding that did not repeat."""

    def is_known(self, trial: Trial) -> bool:
        """Whether every signature of the trial belongs to a finding; then it is counted there."""
        found = labels(trial)
        owners = [self._owner(signature, cause) for signature, cause in found.items()]
        if not owners or None in owners:
            return False
        self._count(owners[0] or "", trial)
        return True

    def take(self, trial: Trial, *, executions: int, seconds: float, until: float) -> Iterator[Finding]:
        """The finding that a failing trial makes or extends, again when it is confirmed and when it is shrunk.

        Nothing for a duplicate. The first version comes at once, so that running out of time loses no failure: nothing
        more is tried once `time.monotonic()` passes `until`. However slow a target is, shrinking cannot take away the
        time for the confirmation.
        """
        if self.is_known(trial):
            return
        if trial.outcome.fate is Fate.HUNG:
            trial = self._unhurried(trial, soon(self.shrinking, until))
            if not trial.failed or self.is_known(trial):
                return
        signature = self._new_signature(trial)
        codes = self._codes(signature, trial)
        finding = self._finding(trial, signature, codes, executions, seconds)
        flaky = self.findings.get(finding.id)
        if flaky is None:
            yield self._keep(finding)
        if time.monotonic() > until:
            return
        finding = self._confirmed(finding, flaky, trial, codes)
        yield finding
        if not finding.confirmation.flaky:
            self.tries[finding.id] += 1  # on top of the confirmation: shrinking takes its time
            finding = self._shrink(finding, trial, codes, until)
        if not finding.confirmation.flaky:
            yield self._absorb(finding, until)
            return
        if flaky is not None and flaky.id == finding.id:
            finding = self._keep(_steadier(flaky, finding))
        shown = self._shown(finding)
        owner = self._beside(finding, shown, until) or self._explained(shown.case)
        yield self._merge(owner, finding, ()) if owner else finding

    def _confirmed(
        self, finding: Finding, flaky: Finding | None, trial: Trial, codes: tuple[str, ...] | None
    ) -> Finding:
        """The finding with how often it repeats; the flaky one that there was, if that repeated no less."""
        suspect = Suspect(trial, finding.signature, codes)
        confirmation = confirm(self.bench, suspect, further=flaky is not None)
        finding = msgspec.structs.replace(finding, confirmation=confirmation)
        if flaky is not None:
            self.tries[flaky.id] += 1
            finding = _steadier(flaky, msgspec.structs.replace(finding, duplicates=flaky.duplicates + 1))
        return self._keep(finding)

    def _shrink(self, finding: Finding, trial: Trial, codes: tuple[str, ...] | None, until: float) -> Finding:
        signature = finding.signature
        start, codes = self._start(trial, signature, codes)
        end = soon(self.shrinking, until - CONFIRMING)
        shrunk = shrink(start, signature, self.simplify, lambda case: self._hastily(case, codes), until=end)
        smallest, confirmation = simplest(self.bench, shrunk, signature, codes, self.steady, until=until)
        self.bench.renew()
        full = self.bench.judge(smallest.case, None)
        shown = kin(full, signature)
        causes = labels(full)
        told = (*shown, *(causes[sign] for sign in shown))
        owners = (self._owner(sign, sign) for sign in told)
        owner = next((found for found in owners if found not in (None, finding.id)), None)
        if owner is None:
            owner = self._beside(finding, Shown(signature, codes, smallest.case), until)
        if owner is not None:
            return self._merge(owner, finding, shown)
        final = full if signature in shown else smallest
        return self._keep(
            msgspec.structs.replace(
                finding,
                title=_title(final, signature),
                codes=codes or (),
                also=tuple(other for other in shown if other != signature),
                case=msgspec.Raw(encode(final.case)),
                outcome=final.outcome,
                violations=final.verdict.violations if final.verdict else (),
                variants=variants(final, signature),
                confirmation=confirmation,
                shrink_steps=shrunk.steps,
            )
        )

    def _absorb(self, finding: Finding, end: float) -> Finding:
        """The finding, after flaky ones of the same bug were made part of it: it shows what they only hinted at."""
        causes, until = set(finding.causes), soon(BESIDE, end)
        for other in tuple(self.findings.values()):
            if other.confirmation.flaky and other.id != finding.id:
                known = causes & set(other.causes) or self._explains(finding, self._shown(other).case, until)
                if known or self._is_one(self._shown(finding), other, until):
                    finding = self._merge(finding.id, other, ())
        return finding

    def _beside(self, finding: Finding, shown: Shown, end: float) -> str | None:
        """An earlier finding that shows beside this one, and this one beside it."""
        if finding.outcome.fate is Fate.HUNG:
            return None
        until = soon(BESIDE, end)
        others = (one for one in self._sure() if one.id != finding.id)
        return next((one.id for one in others if self._is_one(shown, one, until)), None)

    def _explained(self, case: Case) -> str | None:
        """A finding that always repeats and shows in the case of a flaky one, too: it may well be behind both."""
        until = time.monotonic() + BESIDE
        return next((one.id for one in self._sure() if self._explains(one, case, until)), None)

    def _explains(self, finding: Finding, case: Case, until: float) -> bool:
        hung = finding.outcome.fate is Fate.HUNG
        return not hung and explains(self._shown(finding), case, self._hastily, until=until)

    def _sure(self) -> tuple[Finding, ...]:
        """Findings that always repeat."""
        return tuple(one for one in self.findings.values() if one.confirmation.attempts and not one.confirmation.flaky)

    def _is_one(self, shown: Shown, other: Finding, until: float) -> bool:
        hung = other.outcome.fate is Fate.HUNG
        return not hung and one_bug(shown, self._shown(other), self.neighbours, self._hastily, until=until)

    def _shown(self, finding: Finding) -> Shown:
        return Shown(finding.signature, finding.codes or None, self.decode(bytes(finding.case)))

    def _hastily(self, case: Case, codes: tuple[str, ...] | None) -> Trial:
        return self.bench.judge(case, codes, hasty=True)

    def _unhurried(self, trial: Trial, until: float) -> Trial:
        """The same case with the full deadline: whether it hangs, what its properties say when they have the time to.

        It may just have been slow; or what hangs is not the call but a server, which the properties tell better.
        """
        signature = self._new_signature(trial)
        again = trial
        for _ in range(HANG_ATTEMPTS):
            self.bench.renew(thorough=may_depend_on_before(signature))
            again = self.bench.judge(trial.case, trial.codes)
            if again.failed or time.monotonic() > until:
                break
        return trial if signature in signatures(again) else again

    def _new_signature(self, trial: Trial) -> str:
        found = labels(trial).items()
        return next(name for name, cause in found if self._owner(name, cause) is None)

    def _owner(self, signature: str, cause: str) -> str | None:
        """The finding that they belong to; none as long as another case may make a flaky one repeat."""
        owner = self.known.get(signature) or self.known.get(cause)
        hopeful = owner is not None and self.findings[owner].confirmation.flaky and self.tries[owner] < FLAKY_CASES
        return None if hopeful else owner

    def _codes(self, signature: str, trial: Trial) -> tuple[str, ...] | None:
        """What a replay must judge by: the broken property alone, if that shows the failure.

        Else everything the trial was judged by: one property may watch the runs that another one makes.
        """
        head = signature.partition("/")[0]
        if trial.codes is None or head in {fate.value for fate in Fate}:
            return trial.codes
        return (head,) if signature in signatures(self.bench.judge(trial.case, (head,), hasty=True)) else trial.codes

    def _start(
        self, trial: Trial, signature: str, codes: tuple[str, ...] | None
    ) -> tuple[Trial, tuple[str, ...] | None]:
        """What to shrink, and by what to judge it: a failure that says more by itself than the one that was found.

        That is the run that a property made of the case, if it fails as a case of its own; else the case with derived
        prompts filled in.
        """
        if trial.verdict is None:
            return trial, codes
        head = signature.partition("/")[0]
        runs = [violation.evidence.get("run") for violation in trial.verdict.violations]
        candidates: list[tuple[bytes, tuple[str, ...] | None]] = [
            (run.encode(), (head,)) for run in runs if isinstance(run, str)
        ]
        candidates += [(trial.verdict.literal, codes)] if trial.verdict.literal else []
        for data, judged_by in candidates:
            attempt = self.bench.judge(self.decode(data), judged_by)
            if signature in signatures(attempt):
                return attempt, judged_by
        return trial, codes

    def _finding(
        self, trial: Trial, signature: str, codes: tuple[str, ...] | None, executions: int, seconds: float
    ) -> Finding:
        """The finding as it is before anything was tried; whether what else broke belongs to it, shrinking shows."""
        return Finding(
            id=identity(self.context.target, signature),
            title=_title(trial, signature),
            signature=signature,
            target=self.context.target,
            device=self.context.device,
            dtype=self.context.dtype,
            codes=codes or (),
            case=msgspec.Raw(encode(trial.case)),
            original=msgspec.Raw(encode(trial.case)),
            outcome=trial.outcome,
            violations=trial.verdict.violations if trial.verdict else (),
            variants=variants(trial, signature),
            confirmation=Confirmation(attempts=0, repeated=0),
            engine=self.context.engine,
            seed=self.context.seed,
            executions=executions,
            seconds=seconds,
            versions=self.context.versions,
        )

    def _keep(self, finding: Finding) -> Finding:
        self.findings[finding.id] = finding
        for known in (finding.signature, *finding.also, *finding.causes):
            self.known.setdefault(known, finding.id)
        return finding

    def _merge(self, owner: str, finding: Finding, shown: tuple[str, ...]) -> Finding:
        """The smallest case of the new finding shows the owner's signature too, so they are one."""
        self.findings.pop(finding.id, None)
        kept = self.findings[owner]
        others = (finding.signature, *finding.also, *shown)
        also = tuple(dict.fromkeys((*kept.also, *(sign for sign in others if sign != kept.signature))))
        for name in (kept.signature, *also, *self._names(finding.id)):
            self.known[name] = owner
        more = tuple(dict.fromkeys((*kept.variants, *finding.variants)))
        merged = msgspec.structs.replace(kept, also=also, duplicates=kept.duplicates + 1, variants=more)
        self.findings[owner] = merged
        return merged

    def _count(self, owner: str, trial: Trial) -> None:
        finding = self.findings[owner]
        more = tuple(dict.fromkeys((*finding.variants, *variants(trial, *self._names(owner)))))
        self.findings[owner] = msgspec.structs.replace(finding, duplicates=finding.duplicates + 1, variants=more)

    def _names(self, owner: str) -> tuple[str, ...]:
        """Signatures and causes of a finding."""
        return tuple(name for name, known in self.known.items() if known == owner)


def _title(trial: Trial, signature: str) -> str:
    if is_ours(trial.outcome):
        error = trial.outcome.error_type.rpartition(".")[2]
        return f"inferfuzz itself raised {error}, which is a bug to be reported: {trial.outcome.message}"
    if trial.verdict is not None:
        for violation in trial.verdict.violations:
            if violation.signature == signature:
                return violation.message
        if trial.outcome.fate is not Fate.COMPLETED and trial.verdict.violations:
            return trial.verdict.violations[0].message
    outcome = trial.outcome
    detail = outcome.message.splitlines()[0] if outcome.message else ""
    return f"{signature.replace('/', ' ')}: {detail}" if detail else signature.replace("/", " ")


def _steadier(before: Finding, now: Finding) -> Finding:
    """The one of two findings of one failure that repeats more often, with the count of both."""
    better = before if now.confirmation.rate <= before.confirmation.rate else now
    return msgspec.structs.replace(better, duplicates=now.duplicates)


def soon(seconds: float, end: float) -> float:
    """A moment at most `seconds` from now, and not after `end` (both as `time.monotonic()`)."""
    return min(time.monotonic() + seconds, end)
