"""What a campaign and each of its jobs are to do, as plain data."""

from __future__ import annotations

import re

import msgspec

from targets.errors import UsageError

_DURATION = re.compile(r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s?)?")


def seconds_of(text: str) -> float:
    """Seconds in `90`, `60s`, `10m`, `1h30m`. Raises `UsageError`."""
    found = _DURATION.fullmatch(text.strip().lower())
    if not found or not any(found.groups()):
        raise UsageError(f"Duration {text!r} is not understood. Write it like 60s, 10m, 1h30m.")
    hours, minutes, seconds = (float(found[part] or 0) for part in "hms")
    total = hours * 3600 + minutes * 60 + seconds
    if total <= 0:
        raise UsageError(f"Duration {text!r} must be longer than nothing.")
    return total


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to fuzz."""

    target: str
    """Name, `module:attribute`, or URL."""
    device: str
    dtype: str

    @property
    def label(self) -> str:
        """`reference cpu float32`."""
        return f"{self.target} {self.device} {self.dtype}"


class JobPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one job process does. Times are seconds since the epoch, so that they mean the same in every process."""

    unit: Unit
    engine: str
    seed: int
    until: float
    codes: tuple[str, ...] | None = None
    """Properties to judge by; None is every applicable one."""
    executions: int | None = None
    corpus: str = ""
    """Folder of the cases worth keeping; empty keeps none."""
    deadline: float = 10.0
    """Seconds a call may take."""
    memory: int | None = None
    """Bytes a worker may grow beyond its size after import; None leaves it unlimited."""
    schema: bool = True
    """Whether a server's own OpenAPI document is used."""
    core: int | None = None
    """Core that the job and its worker are pinned to."""


class CampaignPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign does."""

    units: tuple[Unit, ...]
    seconds: float
    jobs: int
    seed: int
    engine: str
    codes: tuple[str, ...] | None = None
    executions: int | None = None
    folder: str = ".inferfuzz"
    """Holds `corpus/` and `findings/`."""
    deadline: float = 10.0
    memory: int | None = None
    schema: bool = True


def slots(plan: CampaignPlan) -> tuple[tuple[tuple[Unit, float], ...], ...]:
    """For each parallel slot its units in order, with their share of the time in seconds.

    Every unit gets the same total time, split over slots where there are more slots than units; no slot is idle.
    """
    count = len(plan.units)
    if count <= plan.jobs:
        return tuple(((plan.units[slot % count], plan.seconds),) for slot in range(plan.jobs))
    share = plan.seconds * plan.jobs / count
    made: list[list[tuple[Unit, float]]] = [[] for _ in range(plan.jobs)]
    slot, used = 0, 0.0
    for unit in plan.units:
        left = share
        while left > 1e-9:
            part = min(left, plan.seconds - used)
            if part > 1e-9:
                made[slot].append((unit, part))
            left -= part
            used += part
            if plan.seconds - used <= 1e-9 and slot + 1 < plan.jobs:
                slot, used = slot + 1, 0.0
            elif plan.seconds - used <= 1e-9:
                break
    return tuple(tuple(row) for row in made)
