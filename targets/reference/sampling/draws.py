"""Uniform draws that depend on (seed, sample, position) alone, so that neighbours and preemption cannot shift them."""

from __future__ import annotations

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def uniform(seed: int, sample: int, position: int) -> float:
    """A number in [0, 1): SplitMix64 (Steele, Lea and Flood 2014) keyed by the three integers in turn."""
    state = _mix(seed & _MASK)
    state = _mix(state ^ (sample + 1))
    state = _mix(state ^ (position + 1))
    return (state >> 11) * 2.0**-53


def _mix(value: int) -> int:
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
