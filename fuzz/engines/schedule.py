"""Which corpus case is built upon next: one that reaches what is rarely reached, the smallest of those first."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzz.engines.model import Case
from fuzz.engines.novelty import Features

REFRESH = 64
"""Picks between two looks at how rare the features have become."""
ANY = 0.1
"""Share of picks that take any case, whatever it reaches."""


@dataclass(frozen=True)
class Seed:
    """A case of the corpus and what it costs."""

    case: Case
    size: int
    """Bytes of its JSON."""


class Schedule:
    """The corpus. Each feature has a champion, the smallest case that brought it; rare features are picked first."""

    def __init__(self, hits: npt.NDArray[np.int64]) -> None:
        self._hits = hits
        self._seeds: list[Seed] = []
        self._champions: dict[int, Seed] = {}
        self._cumulated: list[float] = []
        self._owners: list[Seed] = []
        self._picks_left = 0

    def __len__(self) -> int:
        return len(self._seeds)

    def add(self, seed: Seed, features: Features) -> None:
        """A case that reached something new joins, and becomes champion of all that it reaches at the least size."""
        self._seeds.append(seed)
        for feature in features.tolist():
            champion = self._champions.get(feature)
            if champion is None or seed.size < champion.size:
                self._champions[feature] = seed
        self._picks_left = 0

    def drift(self, case: Case, features: Features, size_of: Callable[[], int]) -> None:
        """A case that brought nothing new takes the place of the champion of its rarest feature, if it is no larger.

        So the corpus keeps moving when coverage no longer grows, towards smaller cases.
        """
        rarest = int(features[self._hits[features].argmin()])
        champion = self._champions.get(rarest)
        if champion is not None and (size := size_of()) <= champion.size:
            self._champions[rarest] = Seed(case, size)

    def pick(self, generator: random.Random) -> Case:
        """A case to build upon. Raises `IndexError` if there is none."""
        if generator.random() < ANY:
            return generator.choice(self._seeds).case
        if self._picks_left == 0:
            self._refresh()
        self._picks_left -= 1
        return generator.choices(self._owners, cum_weights=self._cumulated)[0].case

    def _refresh(self) -> None:
        self._picks_left = REFRESH
        self._owners = list(self._champions.values())
        features = np.fromiter(self._champions, np.int64, len(self._champions))
        weights = 1.0 / np.maximum(self._hits[features], 1)
        self._cumulated = np.cumsum(weights).tolist()
