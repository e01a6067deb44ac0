"""What a run carries from step to step, and the errors that end it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from targets.graph.config import Value
from targets.graph.result import Failure, FailureKind, NodeRun
from targets.graph.script import Script
from targets.reference.faults import GRAPH_POINTS, FaultInjector
from targets.reference.graph.plan import Plan

Path = tuple[str, ...]

Model = Callable[[str], str]
"""Continues a prompt."""


class RunError(Exception):
    """The run cannot go on; `failure` says why, `runs` what had run inside the node that failed."""

    def __init__(self, kind: FailureKind, message: str, node: Path, runs: tuple[NodeRun, ...] = ()) -> None:
        self.failure = Failure(kind=kind, message=message, node=node)
        self.runs = runs
        super().__init__(message)


@dataclass
class Progress:
    """How far one graph has come; everything a checkpoint has to keep."""

    state: dict[str, Value]
    ready: tuple[str, ...]
    """Nodes of the next step, in declared order."""
    arrived: dict[str, frozenset[str]] = field(default_factory=dict)
    """For each waiting join, the sources whose edges were taken."""
    visits: dict[str, int] = field(default_factory=dict)
    step: int = 0
    writes: tuple[tuple[str, Value], ...] = ()
    """Everything written so far, in order."""
    runs: tuple[NodeRun, ...] = ()
    message: str = ""

    def copy(self) -> Progress:
        """An independent copy; the state's lists are never changed in place."""
        return Progress(
            dict(self.state),
            self.ready,
            dict(self.arrived),
            dict(self.visits),
            self.step,
            self.writes,
            self.runs,
            self.message,
        )


@dataclass
class Journey:
    """One run: its script, its clock, and the nodes active in it."""

    trace_id: str
    script: Script
    plan: Plan
    progress: Progress
    active: list[Path]
    """Shared by all runs of a runner: a path for each node that is running."""
    model: Model | None = None
    """Answers model calls that the script leaves open."""
    max_parallel: int = 64
    """Nodes of one step that run at once, if their graph allows so many."""
    reverse: bool = False
    """Start the nodes of a step in reverse order."""
    began: float = 0.0
    faults: FaultInjector = field(default_factory=lambda: FaultInjector(GRAPH_POINTS))

    def now(self) -> float:
        """Seconds since the run began."""
        return round(asyncio.get_running_loop().time() - self.began, 9)


@dataclass(frozen=True)
class Scene:
    """Where in the nesting a graph runs."""

    path: Path = ()
    iterations: tuple[int, ...] = ()

    def inside(self, name: str, *round_: int) -> Scene:
        """The scene of a node's body, in this round of it."""
        return Scene((*self.path, name), (*self.iterations, *round_))
