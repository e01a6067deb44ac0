"""What a planted bug is: one edit of one module, and everything that is known about it."""

from __future__ import annotations

import enum

import msgspec

from targets.contract import FaultPoint
from targets.graph.case import GraphCase
from targets.http.case import HttpCase
from targets.trace import Trace

Witness = Trace | GraphCase | HttpCase


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
    """One planted bug. Exactly one of `trace`, `graph` and `http` is its witness: a case whose outcome it changes."""

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
    http: HttpCase | None = None
    fault: FaultPoint | None = None
    """The witness is run with this fault; a property that injects faults finds one by itself."""

    def __post_init__(self) -> None:
        if len(self._witnesses) != 1:
            raise ValueError("needs one witness: either [bug.trace] or [bug.graph] or [bug.http]")
        if not self.before.strip():
            raise ValueError("`before` must not be blank")
        if self.before == self.after:
            raise ValueError("`before` and `after` are the same text, so nothing would be planted")

    @property
    def witness(self) -> Witness:
        """A case whose outcome differs with the bug."""
        return self._witnesses[0]

    @property
    def _witnesses(self) -> tuple[Witness, ...]:
        return tuple(case for case in (self.trace, self.graph, self.http) if case is not None)


class BugFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of one file."""

    bug: tuple[Bug, ...]
