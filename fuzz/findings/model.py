"""What a finding holds."""

from __future__ import annotations

import math

import msgspec

from fuzz.contain.outcome import Outcome
from fuzz.properties.model import Violation

MOST_RUNS = 30
"""After so many runs without it a failure counts as gone, however seldom it was."""
FORMAT = 1
"""Findings written by a newer format are refused, not guessed at."""


class Confirmation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often the case failed in the same way when run again in fresh workers; no attempts: time was up."""

    attempts: int
    repeated: int

    @property
    def flaky(self) -> bool:
        """Whether any repetition did not show the failure."""
        return self.repeated < self.attempts

    @property
    def rate(self) -> float:
        """Share of the repetitions that showed the failure; 0 without any."""
        return self.repeated / max(1, self.attempts)

    @property
    def runs_to_show(self) -> int:
        """Runs of which at least one fails in 999 of 1000 times, if the rate is what it seems; at most thirty."""
        if not self.flaky:
            return 1
        return min(MOST_RUNS, math.ceil(math.log(0.001) / math.log(1 - self.rate))) if self.repeated else MOST_RUNS


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A violation or bad outcome: de-duplicated, confirmed by replay, shrunk, replayable."""

    format: int = FORMAT
    id: str
    """Twelve hexadecimal digits of the target and the signature: the same bug keeps its id between campaigns."""
    title: str
    signature: str
    """Property and kind of breach (`P13/tokens-differ`), or fate and place (`crashed/SIGSEGV/blocks.py:free`)."""
    also: tuple[str, ...] = ()
    """Other signatures that the same shrunk case shows; failures with these are the same finding."""
    target: str
    device: str
    dtype: str
    codes: tuple[str, ...]
    """Properties that the replay judges by."""
    case: msgspec.Raw
    """The shrunk case as JSON."""
    original: msgspec.Raw
    """The case as the engine found it."""
    outcome: Outcome
    violations: tuple[Violation, ...] = ()
    confirmation: Confirmation
    shrink_steps: int = 0
    """Simplifications that kept the failure."""
    engine: str = ""
    seed: int = 0
    executions: int = 0
    """Cases run before the first failure."""
    seconds: float = 0.0
    """From the start of the engine to the first failure."""
    variants: tuple[str, ...] = ()
    """What was seen of several that have this one cause: names of defects, say."""
    duplicates: int = 0
    """Further failing cases that were counted as this finding."""
    versions: dict[str, str] = {}

    @property
    def causes(self) -> tuple[str, ...]:
        """Causes of what the shrunk case shows, where they do show."""
        names = (self.signature, *self.also)
        found = [one.cause for one in self.violations if one.cause and one.signature in names]
        return tuple(dict.fromkeys(found))

    @property
    def replay(self) -> str:
        """The command that replays it."""
        return f"inferfuzz replay {self.id}"
