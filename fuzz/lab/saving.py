"""Executors under intervention: a run in which a request is forked, or the state is saved and restored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from targets.contract import Output, Request

AHEAD = 48
"""Steps that are run and then undone."""


class Forking:
    """Behaves like its executor, but one request is forked from another when it is submitted."""

    def __init__(self, executor: Any, request_id: str, fork_id: str, seed: int | None) -> None:
        self._executor = executor
        self._request_id = request_id
        self._fork_id = fork_id
        self._seed = seed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)

    def submit(self, request: Request) -> None:
        """Submit a request, or fork it. Raises what the executor raises."""
        if request.id == self._fork_id:
            self._executor.fork(self._request_id, request.id, self._seed)
        else:
            self._executor.submit(request)


class Restoring:
    """Behaves like its executor, but before one step it saves its state, runs ahead, and comes back."""

    def __init__(self, executor: Any, step: int) -> None:
        self._executor = executor
        self._remaining = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)

    def step(self) -> Sequence[Output]:
        """One step; before the chosen one, the detour."""
        if self._remaining == 0:
            state = self._executor.save()
            for _ in range(AHEAD):
                if not self._executor.step():
                    break
            self._executor.restore(state)
        self._remaining -= 1
        events: Sequence[Output] = self._executor.step()
        return events
