"""What a graph runner offers: small protocols, found by `isinstance`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from targets.graph.case import GraphCase
from targets.graph.config import GraphConfig, Value
from targets.graph.domain import GraphDomain
from targets.graph.result import GraphResult
from targets.graph.script import GraphInputs, Script


class GraphRejected(Exception):  # noqa: N818 - an answer, not a defect
    """The runner refused a config or its inputs; no node ran."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        shown = repr(value)
        shown = shown if len(shown) <= 80 else f"{shown[:80]}..."
        super().__init__(f"{field} = {shown} is refused: {allowed}")


@runtime_checkable
class RunsGraphs(Protocol):
    """Validates and runs graph configs."""

    domain: GraphDomain

    def validate(self, document: object) -> None:
        """Judge a config as it was read from JSON or YAML, before anything runs. Raises `GraphRejected`."""

    def run(self, config: GraphConfig, inputs: GraphInputs, script: Script) -> GraphResult:
        """Run to the end. Failures of the run are results; a config or input outside the domain raises
        `GraphRejected`.
        """

    def close(self) -> None:
        """Release everything; the runner is not used afterwards."""


@runtime_checkable
class ResumesGraphs(Protocol):
    """Keeps a checkpoint after each step and continues from it."""

    def pause(self, config: GraphConfig, inputs: GraphInputs, script: Script, steps: int) -> GraphResult:
        """Run so many steps and stop; the result is paused and names its checkpoint, unless the run ended first."""

    def resume(self, checkpoint: str) -> GraphResult:
        """Continue to the end. The result covers the whole run, as if it had never stopped."""


@runtime_checkable
class ForksGraphs(Protocol):
    """Can continue an old checkpoint on a branch of its own."""

    def fork(self, checkpoint: str, writes: Mapping[str, Value]) -> str:
        """A new checkpoint that differs by these writes (applied through the reducers); the old one stays as it is."""

    def state_at(self, checkpoint: str) -> dict[str, Value]:
        """The channels at a checkpoint."""


@runtime_checkable
class CancelsGraphs(Protocol):
    """Honours `Script.cancel_at` and can tell what is still running afterwards."""

    def settle(self) -> tuple[str, ...]:
        """Names of the nodes still active although no run is; then lets time pass until nothing is left."""


@runtime_checkable
class RunsTogether(Protocol):
    """Can serve several runs at the same time."""

    def run_together(self, cases: Sequence[GraphCase]) -> tuple[GraphResult, ...]:
        """Run valid cases side by side, one result for each in their order."""


@runtime_checkable
class WritesScripts(Protocol):
    """Can say a run in the terms of the library it drives, so that a finding is checked without us."""

    def script_of(self, case: GraphCase, result: GraphResult) -> str:
        """A short Python script that runs the same graph with the recorded replies."""
