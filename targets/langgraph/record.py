"""What a run notes down beside LangGraph's own state: the visits of its nodes and where they led."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec

from targets.graph.result import NodeRun
from targets.reference.graph.journey import Journey, Scene
from targets.reference.graph.plan import Plan

Place = tuple[str, int]
"""Node name and step."""


@dataclass(frozen=True)
class Visited:
    """One visit, with what ran inside the node and what an exit node read."""

    run: NodeRun
    inner: tuple[NodeRun, ...] = ()
    message: str | None = None


@dataclass
class Record:
    """The notes of one run of one graph; nodes of a step may add to it from several threads."""

    plan: Plan
    journey: Journey
    scene: Scene
    asynchronous: bool
    now: Callable[[], float]
    visits: list[Visited] = field(default_factory=list)
    routes: dict[Place, tuple[str, ...]] = field(default_factory=dict)

    _before: int = 0
    _first: int | None = None

    def begin(self) -> None:
        """LangGraph is called: the steps that follow come after those already noted."""
        self._before = self.steps()
        self._first = None

    def step(self, told: int) -> int:
        """Our number of the step that LangGraph tells; its own numbers jump where a run is resumed."""
        if self._first is None:
            self._first = told
        return self._before + told - self._first + 1

    def copy(self) -> Record:
        """Independent notes, for a branch of the run."""
        return replace(self, visits=list(self.visits), routes=dict(self.routes))

    def ordered(self) -> list[Visited]:
        """By step, then as declared; with the edges that were taken."""
        known = sorted(self.visits, key=lambda visit: (visit.run.step, self.plan.order[visit.run.node[-1]]))
        return [replace(visit, run=self._routed(visit.run)) for visit in known]

    def runs(self) -> tuple[NodeRun, ...]:
        """Every visit in order, what ran inside a node before it."""
        return tuple(run for visit in self.ordered() for run in (*visit.inner, visit.run))

    def message(self) -> str:
        """What the last exit node read."""
        found = [visit.message for visit in self.ordered() if visit.message is not None]
        return found[-1] if found else ""

    def steps(self) -> int:
        """Steps that ran."""
        return max((visit.run.step for visit in self.visits), default=0)

    def _routed(self, run: NodeRun) -> NodeRun:
        return msgspec.structs.replace(run, taken=self.routes.get((run.node[-1], run.step), ()))
