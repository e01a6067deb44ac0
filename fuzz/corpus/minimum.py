"""The smallest set of cases with the same coverage, by greedy cover from the rarest feature on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from fuzz.corpus.store import Stored
from fuzz.engines.model import Harness
from fuzz.engines.novelty import features_of


@dataclass(frozen=True)
class Reach:
    """What a case reaches and what it costs."""

    features: frozenset[int]
    size: int
    """Bytes of its JSON."""
    pinned: bool = False
    """Kept whatever it reaches."""


@dataclass(frozen=True)
class Minimum:
    """What to keep, and what adds nothing to it."""

    kept: tuple[Stored, ...]
    spare: tuple[Stored, ...]
    features: int
    """Features that both the whole and the kept part reach."""


def cover(reaches: Sequence[Reach]) -> frozenset[int]:
    """Indices of a small subset that reaches everything the whole does: pinned cases, then the rarest feature first."""
    by_feature: dict[int, list[int]] = defaultdict(list)
    for index, reach in enumerate(reaches):
        for feature in reach.features:
            by_feature[feature].append(index)
    kept = {index for index, reach in enumerate(reaches) if reach.pinned}
    covered = {feature for index in kept for feature in reaches[index].features}
    for feature in sorted(by_feature, key=lambda feature: (len(by_feature[feature]), feature)):
        if feature in covered:
            continue
        best = max(by_feature[feature], key=lambda index: _worth(reaches[index], covered, index))
        kept.add(best)
        covered |= reaches[best].features
    return frozenset(kept)


def minimum(entries: Sequence[Stored], harness: Harness) -> Minimum:
    """Run every case and decide what to keep: cases that people wrote, that fail, or that the cover needs."""
    reaches = [_measure(stored, harness) for stored in entries]
    kept = cover(reaches)
    return Minimum(
        kept=tuple(stored for index, stored in enumerate(entries) if index in kept),
        spare=tuple(stored for index, stored in enumerate(entries) if index not in kept),
        features=len({feature for reach in reaches for feature in reach.features}),
    )


def _worth(reach: Reach, covered: set[int], index: int) -> tuple[float, int, int]:
    """New features a byte, then the smaller case, then the earlier one."""
    return (len(reach.features - covered) / max(1, reach.size), -reach.size, -index)


def _measure(stored: Stored, harness: Harness) -> Reach:
    trial = harness.run(stored.case)
    features = frozenset(features_of(bytes(harness.probes)).tolist())
    return Reach(features, len(bytes(stored.entry.case)), pinned=stored.entry.told or trial.failed)
