"""The result of a check, as plain data."""

from __future__ import annotations

import enum

import msgspec

FORMAT = 1


class Conclusion(enum.StrEnum):
    """How a step of a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    """It could not be run: a wrong name, a missing library, a broken configuration."""
    SKIPPED = "skipped"
    """There was nothing to check."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong."""

    rule: str
    """Stable name of the kind of problem: `certify/canary`, `P13/tokens-differ`, `gap/guard`, `tier/critical`."""
    message: str
    path: str = ""
    """File it is about, relative to the project; empty if it is about none."""
    line: int = 0
    blocking: bool = True
    """Whether it fails the step; a gap within a tier that passes does not."""


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """One step on one target (or on all, where `target` is empty)."""

    step: str
    target: str = ""
    conclusion: Conclusion
    seconds: float = 0.0
    summary: str = ""
    """One line: what was looked at, or why nothing was."""
    problems: tuple[Problem, ...] = ()


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """All steps."""

    format: int = FORMAT
    profile: str
    targets: tuple[str, ...]
    made: str
    seconds: float
    versions: dict[str, str]
    steps: tuple[StepResult, ...]
    interrupted: bool = False

    @property
    def conclusion(self) -> Conclusion:
        """The worst of the steps."""
        found = {step.conclusion for step in self.steps}
        for worst in (Conclusion.FAILED, Conclusion.ERROR, Conclusion.INCONCLUSIVE):
            if worst in found:
                return worst
        return Conclusion.PASSED if Conclusion.PASSED in found else Conclusion.INCONCLUSIVE
