"""The score over every bucket, and what speaks against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from fuzz.configuration import Tier
from fuzz.gaps.mutation.model import NOTICED, Bucket, ModuleScore, Mutant, MutationReport

MINIMUMS: Mapping[str, float] = {"critical": 0.85}
"""Least score of a tier of this name unless the configuration says otherwise."""


def score(name: str, mutants: Sequence[Mutant]) -> ModuleScore:
    """The score of some mutants; every bucket but the skipped one counts."""
    counts = Counter(mutant.bucket for mutant in mutants)
    counted = counts.total() - counts[Bucket.SKIPPED]
    noticed = sum(counts[bucket] for bucket in NOTICED)
    explained = sum(bool(mutant.explained) for mutant in mutants)
    return ModuleScore(
        name=name,
        buckets={str(bucket): counts[bucket] for bucket in Bucket if counts[bucket]},
        score=round(noticed / counted, 4) if counted else 1.0,
        explained=explained,
        apart=round(noticed / (counted - explained), 4) if counted > explained else 1.0,
    )


def by_module(mutants: Sequence[Mutant]) -> tuple[ModuleScore, ...]:
    """A score for each module."""
    paths = sorted({mutant.path for mutant in mutants})
    return tuple(score(path, [mutant for mutant in mutants if mutant.path == path]) for path in paths)


def by_tier(mutants: Sequence[Mutant]) -> tuple[ModuleScore, ...]:
    """A score for each tier."""
    names = sorted({mutant.tier for mutant in mutants})
    return tuple(score(name, [mutant for mutant in mutants if mutant.tier == name]) for name in names)


def objections(mutants: Sequence[Mutant], tiers: Mapping[str, Tier], before: MutationReport | None) -> Iterator[str]:
    """Why a run fails: nothing tested, something not checked, a tier below its minimum, a module worse than before.

    A module is compared with explained survivors left out: what nothing need notice was noticed by chance before, or by
    a false alarm. The minimum is judged by all.
    """
    counts = Counter(mutant.bucket for mutant in mutants)
    if not sum(counts[bucket] for bucket in (*NOTICED, Bucket.SURVIVED)):
        yield "nothing was tested"
    if counts[Bucket.UNCHECKED]:
        yield f"{counts[Bucket.UNCHECKED]} mutants were not checked; run again to go on"
    for tier in by_tier(mutants):
        configured = tiers.get(tier.name, Tier()).mutation
        least = MINIMUMS.get(tier.name, 0.0) if configured is None else configured
        if tier.score < least:
            yield f"tier {tier.name}: score {tier.score:.2f} is below {least:.2f}"
    once = {module.name: module.apart for module in before.modules} if before else {}
    for module in by_module(mutants):
        if module.apart < once.get(module.name, 0.0):
            fall = f"from {once[module.name]:.4f} to {module.apart:.4f}"
            yield f"{module.name}: score fell {fall}, explained survivors left out"
