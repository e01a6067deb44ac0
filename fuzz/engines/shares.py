"""How often each way to make a case is used: by what it has brought lately, but never less than its floor."""

from __future__ import annotations

import random
from collections.abc import Mapping

FADE_AFTER = 2000
"""Cases after which what was learnt counts half, since ways to make cases wear out."""


class Shares:
    """Chooses among named ways; `floors` are their least shares, which sum up to less than 1."""

    def __init__(self, floors: Mapping[str, float]) -> None:
        self._floors = dict(floors)
        self._tried = dict.fromkeys(floors, 1.0)
        self._found = dict.fromkeys(floors, 1.0)
        self._names = list(floors)
        self._weights = [1.0] * len(floors)
        self._refresh()

    def choose(self, generator: random.Random) -> str:
        """A way to make the next case."""
        return generator.choices(self._names, self._weights)[0]

    def learn(self, name: str, new: bool) -> None:
        """Whether the case that was made in this way brought something new."""
        self._tried[name] += 1.0
        if new:
            self._found[name] += 1.0
        if new or self._tried[name] % 64 == 0:
            self._refresh()

    @property
    def shares(self) -> dict[str, float]:
        """The present shares; they sum up to 1."""
        return dict(zip(self._names, self._weights, strict=True))

    def _refresh(self) -> None:
        if sum(self._tried.values()) > FADE_AFTER:
            self._tried = {name: 1.0 + count // 2 for name, count in self._tried.items()}
            self._found = {name: max(1.0, count / 2) for name, count in self._found.items()}
        rates = {name: self._found[name] / self._tried[name] for name in self._names}
        total = sum(rates.values())
        free = 1.0 - sum(self._floors.values())
        self._weights = [self._floors[name] + free * rates[name] / total for name in self._names]
