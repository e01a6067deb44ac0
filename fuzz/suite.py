"""Property suites: what a pytest item runs. One contained harness a target and device, shared by its tests."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.errors import Unsatisfiable

from fuzz import configuration
from fuzz.campaign.harness import ContainedHarness
from fuzz.campaign.spaces import space_for
from fuzz.campaign.units import units_of
from fuzz.engines.model import Case, Trial
from fuzz.findings.regression import Regression
from fuzz.findings.replay import tries
from fuzz.findings.shrink import shrink
from fuzz.findings.signature import signatures
from fuzz.profiles import choose, chosen_explicitly
from targets import registry
from targets.codec import encode
from targets.contract import Target

SHRINKING = 10.0
"""Seconds for shrinking beyond what Hypothesis does."""
SHOWN = 4_000
"""Characters of a case that a failure shows; the whole case is in the file that it names."""


class PropertyFailedError(AssertionError):
    """A property does not hold on a target; the text shows the shrunk case."""

    def __init__(self, message: str, trial: Trial) -> None:
        self.trial = trial
        super().__init__(message)


class NothingToCompareError(Exception):
    """A property applies, but no case had anything for it; neither a success nor a failure."""


@dataclass
class Suite:
    """The properties of one target on one device."""

    name: str
    """As the user named the target."""
    target: Target
    device: str
    dtype: str
    _harness: ContainedHarness | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """`reference-cpu-float32`, for test ids."""
        return f"{self.name}-{self.device}-{self.dtype}"

    @property
    def harness(self) -> ContainedHarness:
        """Opened by the first test that needs it."""
        if self._harness is None:
            self._harness = ContainedHarness(self.name, self.device, self.dtype, probed=False)
        return self._harness

    def reason_against(self, code: str) -> str:
        """Why the property does not apply; empty if it does. Opens the target."""
        return self.harness.description.missing.get(code, "")

    def check(self, code: str) -> None:
        """Judge as many cases as the Hypothesis profile says.

        Raises `PropertyFailedError` with the shrunk case, and `NothingToCompareError` when no case had anything that
        the property is about.
        """
        harness = self.harness

        @settings(deadline=None, suppress_health_check=list(HealthCheck), phases=_phases(), **_amount)
        @given(space_for(self.target).strategy())
        def holds(case: Case) -> None:
            trial = harness.judge(case, (code,))
            if trial.verdict is None or any(violation.code == code for violation in trial.verdict.violations):
                raise PropertyFailedError(failure_text(trial, self), trial)
            assume(code in trial.verdict.checked)

        # Every property has its own place in Hypothesis' database of failing examples.
        holds.__qualname__ = f"inferfuzz.{self.label}.{code}"
        try:
            holds()
        except PropertyFailedError as failed:
            smallest = self._shrunk(failed.trial, code)
            raise PropertyFailedError(failure_text(smallest, self), smallest) from None
        except Unsatisfiable:
            raise NothingToCompareError(f"{code} found nothing to compare in any case for {self.label}") from None

    def _shrunk(self, trial: Trial, code: str) -> Trial:
        """Hypothesis shrinks decisions; what is left shrinks further over the structure of the case."""
        shown = signatures(trial)
        signature = next((one for one in shown if one.startswith(f"{code}/")), shown[0])
        judge = partial(self.harness.judge, codes=(code,), hasty=True)
        until = time.monotonic() + SHRINKING
        return shrink(trial, signature, space_for(self.target).simplify, judge, until=until).trial

    def replay(self, regression: Regression) -> None:
        """Judge a regression's case, several times if time decides in it.

        Raises `PropertyFailedError` if it fails, in the old way or in a new one.
        """
        space = space_for(self.target)
        case = space.decode(bytes(regression.case))
        for _ in range(tries(None, timed=space.depends_on_time(case))):
            trial = self.harness.judge(case, regression.codes or None)
            if trial.failed:
                text = failure_text(trial, self)
                raise PropertyFailedError(f"regression {regression.finding}: {regression.about}\n{text}", trial)

    def close(self) -> None:
        """End the workers."""
        if self._harness is not None:
            self._harness.close()
            self._harness = None


_suites: dict[tuple[str, str, str], Suite] = {}


def suite_for(name: str, device: str, dtype: str) -> Suite:
    """The one suite of this process for a target, device and number format."""
    key = (name, device, dtype)
    if key not in _suites:
        _suites[key] = Suite(name, registry.find(name), device, dtype)
    return _suites[key]


def suites_of(names: Sequence[str], devices: Sequence[str]) -> list[Suite]:
    """A suite for each target and device. Raises `UsageError` for what is unknown or not installed."""
    return [suite_for(unit.target, unit.device, unit.dtype) for unit in units_of(names, devices, ())]


_amount: dict[str, Any] = {}
"""Settings of Hypothesis that the profile of inferfuzz fixes; empty leaves them to the profile of Hypothesis."""


def choose_examples(flag: str, root: Path) -> None:
    """Let the profile of inferfuzz say how many cases a property gets, if anybody named one. Raises `UsageError`."""
    _amount.clear()
    configured = configuration.load(root)
    if chosen_explicitly(flag, configured):
        profile = choose(flag, configured)
        _amount["max_examples"] = profile.examples
        if profile.derandomize:
            # Hypothesis refuses a database beside it.
            _amount.update(derandomize=True, database=None)


def close_all() -> None:
    """End the workers of every suite."""
    while _suites:
        _suites.popitem()[1].close()


def failure_text(trial: Trial, suite: Suite) -> str:
    """What a person needs to see: what broke, where, and the case."""
    lines = [f"{suite.name} on {suite.device} {suite.dtype}: {', '.join(signatures(trial))}"]
    for violation in trial.verdict.violations if trial.verdict else ():
        lines.append(f"  {violation.code}: {violation.message}")
        lines += [f"    {name}: {value}" for name, value in violation.evidence.items() if name != "script"]
    if trial.outcome.message:
        lines.append(f"  {trial.outcome.fate}: {trial.outcome.message}")
    if trial.outcome.stack:
        lines += [f"    {line}" for line in trial.outcome.stack.strip().splitlines()[-20:]]
    shown = msgspec.json.format(encode(trial.case), indent=1).decode()
    lines.append("case:")
    lines.append(shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}\n... ({len(shown)} characters)")
    return "\n".join(lines)


def _phases() -> list[Phase]:
    return [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
