"""Keeps account of which planted condition was met first when; the same for every contestant."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec


class Discovery(msgspec.Struct, frozen=True):
    """When a condition was first met."""

    cases: int
    """Cases run until then, this one included."""
    seconds: float


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What one contestant did with one seed."""

    contestant: str
    seed: int
    cases: int
    seconds: float
    first: dict[str, Discovery]
    """Condition to its discovery."""

    @property
    def cases_per_second(self) -> float:
        """Speed, choosing included."""
        return self.cases / self.seconds


class Discoveries:
    """The running account of one search, from its creation on."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._cases = 0
        self._first: dict[str, Discovery] = {}

    @property
    def seconds(self) -> float:
        """Time since the search began."""
        return time.perf_counter() - self._began

    def ran(self, met: Iterable[str]) -> None:
        """Count a case and the conditions it met."""
        self._cases += 1
        for name in met:
            if name not in self._first:
                self._first[name] = Discovery(self._cases, self.seconds)

    def search(self, contestant: str, seed: int) -> Search:
        """The account as it stands."""
        return Search(contestant=contestant, seed=seed, cases=self._cases, seconds=self.seconds, first=self._first)
