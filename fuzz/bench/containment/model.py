"""What the containment benchmark measured: plain data, JSON through msgspec."""

from __future__ import annotations

import msgspec

LOOP_RATIO = 0.98
CALL_RATIO = 0.95
READY_SECONDS = 0.020
FLAT_BYTES = 4 << 20
"""Growth of the supervisor's resident memory over a soak that still counts as flat (allocator's own noise)."""


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """One way to make the call, against the bare call in the same rounds."""

    name: str
    calls_per_second: float
    ratio: float
    """Its throughput divided by the bare one's, both from the tenth of their batches that was disturbed least."""
    spread: tuple[float, float]
    """Lower and upper quartile of the ratio of each round, other load on the machine included."""


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """How long after a fault was detected the next answer was there."""

    fault: str
    samples: int
    median_seconds: float
    worst_seconds: float


class Soak(msgspec.Struct, frozen=True, kw_only=True):
    """Many faults in random order in one supervisor."""

    faults: int
    seed: int
    seconds: float
    wrong: tuple[str, ...]
    """What each wrong outcome was."""
    unrecorded: tuple[str, ...]
    """Faults whose guilty case was not found."""
    unavailable: tuple[str, ...]
    """Faults that cannot be committed on this machine."""
    memory_before: int
    """Resident bytes of the supervisor's process after the first tenth of the faults."""
    memory_after: int
    descriptors_before: int
    descriptors_after: int
    processes_left: int
    """Descendants that lived on after the supervisor was closed."""


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A figure and what it should be."""

    name: str
    value: float
    bound: float
    at_least: bool
    met: bool


class ContainmentBenchmark(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the whole benchmark."""

    call_seconds: float
    """Length of the bare call, as measured."""
    payload_bytes: int
    throughputs: tuple[Throughput, ...]
    recoveries: tuple[Recovery, ...]
    torch_import_seconds: float | None
    """A fresh interpreter that imports torch; None when torch is not installed."""
    soak: Soak | None

    def goals(self) -> tuple[Goal, ...]:
        """Every figure that has a bound."""
        ratios = {throughput.name: throughput.ratio for throughput in self.throughputs}
        goals = [
            _at_least("flight-recorder loop / bare", ratios["loop"], LOOP_RATIO),
            _at_least("request and reply / bare", ratios["call"], CALL_RATIO),
        ]
        goals += [
            _at_most(f"ready again after {recovery.fault}, s", recovery.median_seconds, READY_SECONDS)
            for recovery in self.recoveries
        ]
        return tuple(goals + _soak_goals(self.soak)) if self.soak else tuple(goals)


def _soak_goals(soak: Soak) -> list[Goal]:
    return [
        _at_most("soak: wrong outcomes", len(soak.wrong), 0),
        _at_most("soak: guilty cases not recorded", len(soak.unrecorded), 0),
        _at_most("soak: growth of memory, bytes", soak.memory_after - soak.memory_before, FLAT_BYTES),
        _at_most("soak: growth of descriptors", soak.descriptors_after - soak.descriptors_before, 0),
        _at_most("soak: processes left", soak.processes_left, 0),
    ]


def _at_least(name: str, value: float, bound: float) -> Goal:
    return Goal(name=name, value=value, bound=bound, at_least=True, met=value >= bound)


def _at_most(name: str, value: float, bound: float) -> Goal:
    return Goal(name=name, value=value, bound=bound, at_least=False, met=value <= bound)
