"""Uniform draws that depend on (seed, sample, position) alone, so that neighbours and preemption cannot shift them."""

from __future__ import annotations

from random import Random


def uniform(seed: int, sample: int, position: int) -> float:
    """A number in [0, 1): the first of a generator that is seeded with the three integers."""
    return Random(ascii((seed, sample, position))).random()
