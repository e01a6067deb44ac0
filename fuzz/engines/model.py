"""What engines share: the harness that runs a case contained, the space cases come from, and the events."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from fuzz.contain.outcome import Fate, Outcome
from fuzz.properties.model import Verdict

if TYPE_CHECKING:
    # Importing Hypothesis takes half a second, which only its engine should pay.
    from hypothesis.strategies import SearchStrategy

Case = msgspec.Struct
"""A trace, a graph case or an HTTP case: tagged plain data (`targets.codec`)."""


@dataclass(frozen=True)
class Trial:
    """One case that was run: what containment saw, and the verdict if it completed."""

    case: Case
    outcome: Outcome
    verdict: Verdict | None
    codes: tuple[str, ...] | None = None
    """Properties it was judged by; None is every applicable one."""

    @property
    def failed(self) -> bool:
        """Whether the case deserves a finding: a violation, or any fate but completed."""
        if self.outcome.fate is not Fate.COMPLETED:
            return True
        return bool(self.verdict and self.verdict.violations)


class Harness(Protocol):
    """Runs cases contained. A crash or a hang costs one worker and is a value, never an exception."""

    @property
    def probes(self) -> memoryview:
        """The branch-arm map: one byte an arm, zeroed before each case, shared with the workers."""

    @property
    def restarts(self) -> int:
        """Workers lost so far to crashes, hangs and memory."""

    def run(self, case: Case) -> Trial:
        """Run and judge one case."""


class CaseSpace(Protocol):
    """Generates and edits cases of one kind for one target; see `strategies`."""

    def generate(self, generator: random.Random) -> Case:
        """A fresh case."""

    def mutate(self, case: Case, generator: random.Random) -> Case:
        """An edited copy."""

    def crossover(self, first: Case, second: Case, generator: random.Random) -> Case:
        """A case with parts of both."""

    def decode(self, data: bytes) -> Case:
        """A case from its JSON. Raises `targets.codec.DecodeError`."""

    def strategy(self) -> SearchStrategy[Case]:
        """The cases of `generate`, drawn by Hypothesis so that they shrink."""


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="started"):
    """The engine begins."""

    engine: str
    seed: int
    corpus: int
    """Cases loaded from the corpus."""


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """Sent about four times a second."""

    executions: int
    seconds: float
    arms: int
    """Branch arms and behaviour features seen so far."""
    corpus: int
    compared: int
    excused: int
    runs: int = 0
    """Traces run on executors; properties run most cases several times."""
    checked: dict[str, int] = {}
    """Property code to the number of cases it judged."""
    restarts: int = 0
    """Workers lost to crashes, hangs and memory."""

    @property
    def rate(self) -> float:
        """Cases a second."""
        return self.executions / self.seconds if self.seconds > 0 else 0.0


class NewCoverage(msgspec.Struct, frozen=True, kw_only=True, tag="new-coverage"):
    """A case that reached something new and joined the corpus."""

    case: bytes
    arms: int


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """A case that failed; the campaign turns it into a finding (or a duplicate of one)."""

    case: bytes
    outcome: Outcome
    verdict: Verdict | None
    codes: tuple[str, ...] | None = None


class Noted(msgspec.Struct, frozen=True, kw_only=True, tag="noted"):
    """Something people should know that is no finding, such as an error in a mutator of ours."""

    message: str


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """The engine ended by itself or was told to stop."""

    reason: str
    progress: Progress


Event = Started | Progress | NewCoverage | Failed | Noted | Finished


@dataclass(frozen=True)
class Plan:
    """What an engine is to do."""

    seed: int
    seconds: float | None = None
    executions: int | None = None
    """Stop after so many cases; None for no such limit."""
    seeds: tuple[Case, ...] = ()
    """Corpus to start from."""


class Engine(Protocol):
    """Chooses cases, runs them through the harness, reports."""

    def __call__(self, harness: Harness, space: CaseSpace, plan: Plan) -> Iterator[Event]:
        """Yield events until the plan is done; closing the iterator ends it cleanly within one case."""
