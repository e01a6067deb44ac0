"""What a graph runner answers: the final message and state, the nodes it ran in order, and what it cost."""

from __future__ import annotations

import enum

import msgspec

from targets.graph.config import Value
from targets.graph.script import GraphInputs


class RunStatus(enum.StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    """Stopped on request after a number of steps; it can be resumed."""


class FailureKind(enum.StrEnum):
    """Why a run failed."""

    STEP_LIMIT = "step_limit"
    LOOP_LIMIT = "loop_limit"
    ITEM_LIMIT = "item_limit"
    NODE = "node"
    """A model or tool failed in every attempt."""
    TIMEOUT = "timeout"
    GATE = "gate"
    CONFLICT = "conflict"
    EXPRESSION = "expression"
    """An expression or a write met a value that does not fit."""
    CHECKPOINT = "checkpoint"
    """The place where the run paused could not be kept."""


class Failure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Why a run failed, and in which node (a path from the outermost graph inwards)."""

    kind: FailureKind
    message: str
    node: tuple[str, ...] = ()


class Outcome(enum.StrEnum):
    """How one node's visit ended."""

    DONE = "done"
    BLOCKED = "blocked"
    """A gate whose condition did not hold."""
    FAILED = "failed"


class NodeRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One visit of one node."""

    node: tuple[str, ...]
    """Path of node names from the outermost graph inwards."""
    step: int
    """Step of the graph it is in, from 1."""
    trace_id: str
    iterations: tuple[int, ...] = ()
    """For each loop or fan-out around it, from outside in, which round (from 0)."""
    outcome: Outcome = Outcome.DONE
    attempts: int = 1
    writes: tuple[tuple[str, Value], ...] = ()
    """Channel and value, in the order written; a nesting node reports what its body wrote."""
    taken: tuple[str, ...] = ()
    """Names of the nodes that the edges it took lead to."""
    started: float = 0.0
    """Seconds since the run began."""
    ended: float = 0.0


class GraphStats(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a run cost."""

    steps: int = 0
    """Steps of the outermost graph."""
    visits: int = 0
    """Visits of nodes, nested ones included."""
    attempts: int = 0
    elapsed: float = 0.0
    """Seconds on the clock of the run."""


class GraphResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The answer to one run."""

    status: RunStatus
    trace_id: str
    message: str = ""
    """What the last exit node read; empty if none was reached."""
    state: dict[str, Value] = {}
    """The channels after the last completed step."""
    nodes: tuple[NodeRun, ...] = ()
    """In order: by step, then as declared; what ran inside a node stands before it."""
    stats: GraphStats = GraphStats()
    failure: Failure | None = None
    checkpoint: str = ""
    """Where a paused run can be resumed."""


def finished(state: dict[str, Value], steps: int, inputs: GraphInputs) -> GraphResult:
    """The result of a completed run, for a runner that tells no more than its state and its steps."""
    trace_id = inputs.context.get("trace_id", "run")
    return GraphResult(status=RunStatus.COMPLETED, trace_id=trace_id, state=state, stats=GraphStats(steps=steps))


def failed(kind: FailureKind, message: str, inputs: GraphInputs) -> GraphResult:
    """The result of a failed run, for such a runner."""
    trace_id = inputs.context.get("trace_id", "run")
    return GraphResult(status=RunStatus.FAILED, trace_id=trace_id, failure=Failure(kind=kind, message=message))
