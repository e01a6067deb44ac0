"""Behaviour features in the probe map: what a black box shows, beside what its code shows."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.probes.plan import FEATURES


def mark_features(probes: memoryview, arms: int, features: Iterable[int]) -> None:
    """Set the bytes of the features (0..4095; larger ones wrap round) behind `arms` arms."""
    for feature in features:
        probes[arms + feature % FEATURES] = 1
