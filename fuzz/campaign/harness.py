"""The harness of a job: every case goes to a contained worker that runs and judges it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from fuzz.campaign.probed_imports import VARIABLE
from fuzz.campaign.rotation import Rotation
from fuzz.contain.outcome import EFFECTS, Fate, Outcome
from fuzz.contain.supervisor import Supervisor
from fuzz.engines.model import Case, Trial
from fuzz.judge import BENCHES, ENTRY, Call, Description, Setup
from fuzz.probes.features import mark_features
from fuzz.probes.plan import ProbePlan, plan_probes
from fuzz.properties.model import Verdict
from targets import registry
from targets.codec import encode
from targets.contract import Target, TargetKind
from targets.errors import UsageError

if TYPE_CHECKING:
    from fuzz.campaign.served import Served

EXPERIENCE = 20
"""Cases that must have been answered before a hang is called early."""
PATIENCE = 10
"""Times the slowest case so far that a case may take then."""
LEAST_PATIENCE = 1.0
"""Seconds that a case may always take."""
DESCRIBING = 120.0
"""Seconds that calibration may take."""


@dataclass(frozen=True)
class Limits:
    """What a call may use."""

    deadline: float = 10.0
    """Seconds."""
    memory: int | None = None
    """Bytes beyond the worker's size after import."""
    core: int | None = None
    """Core that parent and worker are pinned to."""


class ContainedHarness:
    """Runs cases of one target on one device in contained workers. Context manager.

    Raises `UsageError` when the target does not load, with what happened to it.
    """

    def __init__(
        self,
        name: str,
        device: str,
        dtype: str,
        *,
        limits: Limits = Limits(),
        codes: tuple[str, ...] | None = None,
        seed: int = 0,
        probed: bool = True,
    ) -> None:
        self.target: Target = registry.find(name)
        self.plan: ProbePlan = plan_probes(self.target.modules if probed else ())
        on_device = device != "cpu"
        self._served = _served(self.target)
        environment = {VARIABLE: ",".join(module for module in self.target.modules if probed)}
        if self._served is not None:
            environment |= self._served.environment
            limits = replace(limits, deadline=self._served.deadline)
        self._supervisor = Supervisor(
            ENTRY,
            msgspec.json.encode(Setup(target=name, device=device, dtype=dtype, codes=codes)),
            deadline=limits.deadline,
            # An accelerator's address space is huge, so a limit on it would end every worker.
            memory=None if on_device else limits.memory,
            imports=("fuzz.campaign.probed_imports", *self.target.requires, "fuzz.judge", _judging(self.target)),
            shared=self.plan.size,
            core=limits.core,
            environment=environment,
            # A spare opens the target in advance: two clients on one server would not be told apart.
            spare=self._served is None,
        )
        self.description = self._describe()
        self._renewals = 0
        self._deadline = limits.deadline
        self._answered = 0
        self._slowest = 0.0
        self.rotation = Rotation(self.description, random.Random(seed))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers, and the server that was started for them."""
        self._supervisor.close()
        if self._served is not None:
            self._served.close()

    @property
    def probes(self) -> memoryview:
        """The branch-arm map, followed by the behaviour features."""
        return self._supervisor.shared

    @property
    def restarts(self) -> int:
        """Workers lost so far to crashes, hangs and memory."""
        return self._supervisor.restarts - self._renewals

    def run(self, case: Case) -> Trial:
        """Run a case and judge it by the properties whose turn it is."""
        trial = self.judge(case, self.rotation.next(case), hasty=True)
        self.rotation.learn(trial)
        return trial

    def judge(self, case: Case, codes: tuple[str, ...] | None, *, hasty: bool = False) -> Trial:
        """Run a case and judge it by these properties; None is every applicable one.

        With `hasty` a call counts as hung when it takes far longer than any before; triage asks again in full.
        """
        self.probes[:] = bytes(len(self.probes))
        payload = msgspec.json.encode(Call(case=msgspec.Raw(encode(case)), codes=codes))
        outcome = self._supervisor.call(payload, deadline=self._patience() if hasty else None)
        answered = outcome.fate is Fate.COMPLETED or outcome.fate in EFFECTS
        if answered:
            self._answered += 1
            self._slowest = max(self._slowest, outcome.seconds)
        verdict = msgspec.json.decode(outcome.reply or b"{}", type=Verdict) if answered else None
        if not answered and self._served is not None:
            verdict = self._served.lost(outcome)
        if verdict is not None:
            mark_features(self.probes, self.plan.arms, verdict.features)
        if answered and verdict is not None and self._served is not None and self._served.wounded(verdict):
            self.renew()
        return Trial(case, msgspec.structs.replace(outcome, reply=None), verdict, codes)

    def _patience(self) -> float:
        # Outside the worker a server is watched by the client, which has a deadline for every answer.
        apart = self._served is not None and not self._served.within
        if self._answered < EXPERIENCE or apart:
            return self._deadline
        return min(self._deadline, max(LEAST_PATIENCE, PATIENCE * self._slowest))

    def renew(self, *, thorough: bool = False) -> None:
        """The next case runs in a fresh worker; with `thorough` the server is a fresh one, too."""
        if thorough and self._served is not None:
            self._served.discard()
        before = self._supervisor.restarts
        self._supervisor.renew()
        self._renewals += self._supervisor.restarts - before

    def restart(self, seed: int) -> None:
        """Go on as if just opened: with a fresh worker and server, other random decisions, and no experience."""
        self.renew(thorough=True)
        self.rotation = Rotation(self.description, random.Random(seed))
        self._answered = 0
        self._slowest = 0.0

    def _describe(self) -> Description:
        outcome = self._supervisor.call(msgspec.json.encode(Call(describe=True)), deadline=DESCRIBING)
        if outcome.fate is not Fate.COMPLETED:
            self.close()
            raise UsageError(_obituary(self.target.name, outcome))
        return msgspec.json.decode(outcome.reply or b"", type=Description)


def _served(target: Target) -> Served | None:
    if target.kind is not TargetKind.HTTP:
        return None
    from fuzz.campaign.served import Served  # h11 is installed with the extra for servers only

    return Served(target)


def _judging(target: Target) -> str:
    """The module that judges cases of the target: imported once, before workers are forked."""
    return BENCHES[target.kind].partition(":")[0]


def _obituary(name: str, outcome: Outcome) -> str:
    details = outcome.message or outcome.fate.value
    if outcome.error_type == f"{UsageError.__module__}.{UsageError.__name__}":
        return f"Target {name!r} cannot be opened: {details}"  # the user's to mend: our stack would only hide how
    stack = f"\n{outcome.stack.strip()}" if outcome.stack else ""
    return f"Target {name!r} cannot be opened ({outcome.fate}): {outcome.error_type} {details}{stack}".rstrip()
