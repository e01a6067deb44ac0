"""What the benchmark of planted bugs measures: plain data, JSON through msgspec."""

from __future__ import annotations

import enum
import statistics
from collections.abc import Sequence

import msgspec

from fuzz.findings.triage import SHRINKING
from fuzz.planted.model import Bug


class HuntPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One bug, hunted in one process."""

    bug: Bug
    engine: str
    """Name of an engine, or of a rival."""
    seed: int
    seconds: float
    """Processor time of the hunt, its workers included."""
    linger: float
    """Processor time after the first finding, in which further findings of the same bug would show."""
    shrinking: float = SHRINKING
    """Seconds that shrinking a finding may take."""
    corpus: bool = True
    """Start from the shipped seeds, as campaigns do."""
    replays: int = 10
    """How often the shrunk case of each finding is run again, each time in a fresh process."""
    plain: bool = False
    """Leave the bug out, to learn what a rival reports anyway."""
    excused: tuple[str, ...] = ()
    """What it reports anyway."""


class Reach(enum.StrEnum):
    """How far a bug got that was not found."""

    UNKNOWN = "unknown"
    """The edited line belongs to no branch arm, so whether it ran is not known."""
    NOT_REACHED = "not reached"
    """The edited code never ran: no case was of the kind it takes."""
    NOT_PROPAGATED = "not propagated"
    """It ran, and of the cases looked at none had another outcome than without the bug."""
    NOT_NOTICED = "not noticed"
    """It changed outcomes, and no property objected."""


class Hunt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one hunt came to."""

    bug: str
    seed: int
    engine: str = ""
    budget: float = 0.0
    """Processor seconds that it was given."""
    corpus: bool = False
    """Whether it began with the shipped seeds."""
    found: bool = False
    signature: str = ""
    """Of the first finding, such as `P13/tokens-differ`."""
    executions: int = 0
    """Cases until the first failure; all cases if there was none."""
    cpu_seconds: float = 0.0
    """Processor time until the first failure; all of it if there was none."""
    seconds: float = 0.0
    """The same on the clock, other load of the machine included."""
    requests: int = 0
    """In the shrunk case; nodes for a graph, exchanges for a server."""
    case: str = ""
    """The shrunk case as JSON."""
    findings: int = 0
    """Different findings that the one bug led to."""
    others: tuple[str, ...] = ()
    """Signatures of the findings behind the first."""
    replays: int = 0
    """How often the shrunk case of each finding was run again, each time in a fresh process."""
    repeated: int = 0
    """How often it failed in the finding's way; the least of all findings."""
    runs: int = 0
    """Runs that the replays took; the most of all findings. More than `replays` where chance decided against one."""
    flaky: int = 0
    """Failures that did not repeat in fresh workers."""
    reached: int | None = None
    """Cases that ran the edited code; None where that is not known."""
    reach: Reach | None = None
    """How far it got, if it was not found."""
    reported: tuple[str, ...] = ()
    """Everything that a rival with reports of its own said."""
    whole_cpu: float = 0.0
    """Processor seconds of the whole hunt: start, search, confirmation, shrinking, lingering, replays, a last look."""
    problem: str = ""
    """Why the hunt could not be held."""

    @property
    def key(self) -> tuple[str, str, int, float, bool]:
        """What was hunted how; a hunt of the same key need not be held again."""
        return self.engine, self.bug, self.seed, self.budget, self.corpus

    @property
    def by(self) -> str:
        """The property, or the bad outcome, that told."""
        return self.signature.partition("/")[0]


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Median and quartiles over seeds."""

    low: float
    median: float
    high: float


class BugResult(msgspec.Struct, frozen=True, kw_only=True):
    """One bug over all seeds for which there is a hunt."""

    bug: str
    group: str
    target: str
    hunts: tuple[Hunt, ...]

    @property
    def found(self) -> tuple[Hunt, ...]:
        """The hunts that found it."""
        return tuple(hunt for hunt in self.hunts if hunt.found)

    @property
    def is_reliable(self) -> bool:
        """Found with at least nine of ten seeds."""
        return bool(self.hunts) and len(self.found) >= 0.9 * len(self.hunts)


class PlantedBenchmark(msgspec.Struct, frozen=True, kw_only=True):
    """What one engine made of the bugs."""

    engine: str
    seconds: float
    seeds: int
    jobs: int
    corpus: bool
    results: tuple[BugResult, ...]
    """Bugs that the engine has cases for."""

    @property
    def score(self) -> Score:
        """Everything in a few figures."""
        hunts = [hunt for result in self.results for hunt in result.hunts]
        found = [hunt for hunt in hunts if hunt.found]
        return Score(
            bugs=sum(bool(result.hunts) for result in self.results),
            found=sum(bool(result.found) for result in self.results),
            found_reliably=sum(result.is_reliable for result in self.results),
            cpu_seconds=spread([hunt.cpu_seconds for hunt in found]),
            slowest=max((hunt.cpu_seconds for hunt in found), default=0.0),
            executions=spread([hunt.executions for hunt in found]),
            requests=spread([hunt.requests for hunt in found]),
            one_finding=sum(hunt.findings == 1 for hunt in found),
            replayed=sum(bool(hunt.replays) for hunt in found),
            repeated=sum(hunt.repeated == hunt.replays for hunt in found if hunt.replays),
            tried_again=sum(hunt.repeated == hunt.replays < hunt.runs for hunt in found if hunt.replays),
            hunts_found=len(found),
            hunts=len(hunts),
            whole_cpu=sum(hunt.whole_cpu for hunt in hunts),
        )


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the benchmark: the same bugs by each engine."""

    benchmarks: tuple[PlantedBenchmark, ...]
    interrupted: bool = False
    """Hunts are missing, since somebody pressed Ctrl-C."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The benchmark in a few figures."""

    bugs: int
    found: int
    """Bugs found with any seed."""
    found_reliably: int
    """Bugs found with at least nine of ten seeds."""
    cpu_seconds: Spread | None
    """Over the hunts that found something; None if none did. So are those below."""
    slowest: float
    executions: Spread | None
    requests: Spread | None
    one_finding: int
    """Hunts whose bug led to exactly one finding."""
    replayed: int
    """Hunts whose findings were replayed at all."""
    repeated: int
    """Hunts of which every finding repeated in all of its replays."""
    tried_again: int
    """Of these, hunts with a replay that was tried again."""
    hunts_found: int
    hunts: int
    whole_cpu: float
    """Processor seconds of all hunts, with everything."""


def spread(values: Sequence[float]) -> Spread | None:
    """Median and quartiles; None of nothing."""
    if not values:
        return None
    if len(values) == 1:
        return Spread(low=values[0], median=values[0], high=values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(low=low, median=median, high=high)
