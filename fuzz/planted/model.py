"""What a planted bug is: one edit of one module, and everything that is known about it."""

from __future__ import annotations

import enum

import msgspec

from targets.graph.case import GraphCase
from targets.trace import Trace


class Group(enum.StrEnum):
    """Where the real bugs came from; as in the catalogue of real bugs."""

    CACHE = "CACHE"
    BATCH = "BATCH"
    SAMPLE = "SAMPLE"
    STREAM = "STREAM"
    LIMITS = "LIMITS"
    LIFE = "LIFE"
    FINITE = "FINITE"
    DEVICE = "DEVICE"
    VALID = "VALID"
    GRAPH = "GRAPH"


class Bug(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One planted bug. Exactly one of `trace` and `graph` is its witness: a case whose outcome it changes."""

    id: str
    group: Group
    target: str
    """What is fuzzed: a target's name, or `module:attribute`."""
    module: str
    """Import name of the module that is edited."""
    before: str
    """Text that occurs exactly once in the module's source."""
    after: str
    """What it is replaced by."""
    derived: tuple[str, ...]
    """Ids of real bugs."""
    trigger: str
    """When it shows, in words."""
    properties: tuple[str, ...]
    """Codes of the properties that should catch it; any of them is enough."""
    trace: Trace | None = None
    graph: GraphCase | None = None

    def __post_init__(self) -> None:
        if (self.trace is None) == (self.graph is None):
            raise ValueError("needs one witness: either [bug.trace] or [bug.graph]")
        if not self.before.strip():
            raise ValueError("`before` must not be blank")
        if self.before == self.after:
            raise ValueError("`before` and `after` are the same text, so nothing would be planted")

    @property
    def witness(self) -> Trace | GraphCase:
        """A case whose outcome differs with the bug."""
        witness = self.graph if self.trace is None else self.trace
        assert witness is not None
        return witness


class BugFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of one file."""

    bug: tuple[Bug, ...]
