"""Coverage by tiers and the gaps in it, as plain data."""

from __future__ import annotations

import enum

import msgspec

FORMAT = 1


class GapKind(enum.StrEnum):
    """What sort of code was not reached."""

    MODULE = "whole module"
    """Never imported."""
    FUNCTION = "whole function"
    """Never entered."""
    ERROR = "error path"
    """An exception handler, or code that ends in a raise."""
    GUARD = "guard"
    """An early return, continue or break."""
    DEVICE = "device-only"
    """Its condition asks for an accelerator."""
    DEFAULT = "default branch"
    """What happens when no condition holds: `else`, `case _`, or the jump past an `if` without one."""
    PATH = "path"
    """Anything else."""


def percent(value: float) -> str:
    """`99.99 %`, never rounded up to a figure that has not been reached."""
    return f"{int(value * 100) / 100:.2f} %"


class Nearest(msgspec.Struct, frozen=True, kw_only=True):
    """Who comes nearest to a gap: whoever executes the neighbouring line."""

    line: int = 0
    """The line before the gap, or at its branch; 0 if nobody reaches the function."""
    properties: tuple[str, ...] = ()
    """Codes; `replay` is the run of the case itself."""
    strategies: tuple[str, ...] = ()
    """Modules of `strategies` that make such cases."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of one function that nothing exercised."""

    path: str
    """As shown to people: relative to the project where it lies inside it."""
    function: str
    """Qualified name; empty at module level."""
    line: int
    lines: tuple[int, ...] = ()
    """Missing lines."""
    branches: tuple[tuple[int, int], ...] = ()
    """Missing branches (from line, to line); a negative line is an exit."""
    kind: GapKind
    tier: str
    text: str
    """Source of its first line: with path and function its identity, which survives moved lines."""
    nearest: Nearest = Nearest()


class FileCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """One module."""

    path: str
    module: str
    tier: str
    lines: int
    covered_lines: int
    branches: int
    covered_branches: int


class TierResult(msgspec.Struct, frozen=True, kw_only=True):
    """One tier, judged."""

    name: str
    files: int
    lines: float
    """Percent of the lines executed; 100 for none."""
    branches: float
    minimum_lines: float
    minimum_branches: float
    reasons: tuple[str, ...] = ()
    """Why it fails; empty if it does not."""

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from the accepted baseline."""

    opened: tuple[Gap, ...] = ()
    closed: tuple[Gap, ...] = ()
    moved: tuple[tuple[Gap, Gap], ...] = ()
    """Before, after."""


class GapsReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `inferfuzz gaps`; an accepted one is the next baseline."""

    format: int = FORMAT
    target: str
    device: str
    made: str
    versions: dict[str, str]
    cases: int
    """Cases replayed."""
    properties: tuple[str, ...]
    """Codes that judged them."""
    strategies: tuple[str, ...] = ()
    """Modules of `strategies` that make such cases."""
    only_tiers: tuple[str, ...] = ()
    """Tiers that were looked at; empty is all."""
    tiers: tuple[TierResult, ...]
    files: tuple[FileCoverage, ...]
    gaps: tuple[Gap, ...]
    changes: Changes | None = None
    """None without a baseline."""
    notes: tuple[str, ...] = ()
    complete: bool = True
    """Whether every case was replayed to its end."""

    @property
    def passed(self) -> bool:
        """Whether every tier passed."""
        return all(tier.passed for tier in self.tiers)


class ReplayCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case to replay."""

    name: str
    """Where it comes from, such as `seed empty-prompt`."""
    strategy: str
    """Module of `strategies` that makes such cases."""
    case: msgspec.Raw


class ReplayPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a replaying process does."""

    target: str
    device: str
    dtype: str
    files: tuple[str, ...]
    """Absolute paths to be measured."""
    data: str
    """Prefix of the coverage data files to write."""
    cases: tuple[ReplayCase, ...]


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The target is loaded."""

    codes: tuple[str, ...]


class Trying(msgspec.Struct, frozen=True, kw_only=True, tag="trying"):
    """A case is being replayed."""

    name: str


class Saved(msgspec.Struct, frozen=True, kw_only=True, tag="saved"):
    """The coverage of these cases is on disk."""

    names: tuple[str, ...]
    raised: dict[str, str] = {}
    """Case to the exception that judging it raised."""
    violated: dict[str, tuple[str, ...]] = {}


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """The target cannot be opened."""

    message: str


ReplayEvent = Ready | Trying | Saved | Failed
