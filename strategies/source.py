"""Where decisions come from: one interface over Hypothesis draws and over a fast random generator.

A strategy is written once as a plain function of a `Source`. Under Hypothesis every decision is a shrinkable draw;
in a coverage-guided engine it costs a fraction of a microsecond (a Hypothesis draw of a case costs about 0.9 ms).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Source(Protocol):
    """Makes decisions. Every method shrinks towards its first or smallest possibility."""

    def integer(self, low: int, high: int) -> int:
        """An integer in `low..high`, both included."""

    def number(self, low: float, high: float) -> float:
        """A finite float in `low..high`."""

    def boolean(self, probability: float = 0.5) -> bool:
        """True with about this probability."""

    def choice(self, options: Sequence[T]) -> T:
        """One of the options; the first is the simplest."""

    def binary(self, length: int) -> bytes:
        """So many arbitrary bytes, in one draw."""


class RandomSource:
    """Decisions from a `random.Random`."""

    def __init__(self, generator: random.Random) -> None:
        self._random = generator.random
        self._bytes = generator.randbytes

    def integer(self, low: int, high: int) -> int:
        """An integer in `low..high`; uniform for ranges below 2**53."""
        return low + int(self._random() * (high - low + 1))

    def number(self, low: float, high: float) -> float:
        """A float in `low..high`, uniform."""
        return low + self._random() * (high - low)

    def boolean(self, probability: float = 0.5) -> bool:
        """True with exactly this probability."""
        return self._random() < probability

    def choice(self, options: Sequence[T]) -> T:
        """One of the options, uniform."""
        return options[int(self._random() * len(options))]

    def binary(self, length: int) -> bytes:
        """Uniform bytes."""
        return self._bytes(length)


class DrawSource:
    """Decisions from the `draw` function of a Hypothesis composite strategy."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        """A drawn integer; shrinks to `low`."""
        return int(self._draw(_integers(low, high)))

    def number(self, low: float, high: float) -> float:
        """A drawn finite float."""
        return float(self._draw(st.floats(low, high, allow_nan=False)))

    def boolean(self, probability: float = 0.5) -> bool:
        """Shrinks to False; the probability is kept in steps of one per mille."""
        return int(self._draw(_integers(0, 999))) >= 1000 - round(probability * 1000)

    def choice(self, options: Sequence[T]) -> T:
        """A drawn option; shrinks to the first."""
        return options[int(self._draw(_integers(0, len(options) - 1)))]

    def binary(self, length: int) -> bytes:
        """Drawn bytes of exactly this length, at most 8,000 in one draw (the engine's entropy limit)."""
        drawn = bytes(self._draw(st.binary(min_size=min(length, 8000), max_size=min(length, 8000))))
        repeats = -(-length // max(1, len(drawn)))
        return (drawn * repeats)[:length]


@lru_cache(maxsize=4096)
def _integers(low: int, high: int) -> st.SearchStrategy[int]:
    # Hypothesis' own cache of strategies takes as long as a draw.
    return st.integers(low, high)


def drawn(function: Callable[[Source], T]) -> st.SearchStrategy[T]:
    """The Hypothesis strategy of a function of a `Source`."""

    @st.composite
    def strategy(draw: Callable[[st.SearchStrategy[Any]], Any]) -> T:
        return function(DrawSource(draw))

    return strategy()
