"""The mutation score: buckets, what counts, and what a release is refused for."""

from __future__ import annotations

import msgspec
import pytest

from fuzz.configuration import Tier
from fuzz.gaps.mutation.model import Bucket, Mutant, MutationReport, bucket_of
from fuzz.gaps.mutation.score import by_module, objections, score


def mutant(bucket: Bucket, number: int = 1, path: str = "a.py", tier: str = "critical") -> Mutant:
    return Mutant(name=f"a.x_f__mutmut_{number}", path=path, function="f", tier=tier, bucket=bucket)


def report(*mutants: Mutant) -> MutationReport:
    return MutationReport(
        target="t", made="", seconds=1.0, versions={}, cases=1, modules=by_module(mutants), tiers=(), survivors=()
    )


@pytest.mark.parametrize(
    ("code", "bucket"),
    [
        (None, Bucket.UNCHECKED),
        (0, Bucket.SURVIVED),
        (1, Bucket.KILLED),
        (3, Bucket.KILLED),
        (33, Bucket.NO_TEST),
        (34, Bucket.SKIPPED),
        (36, Bucket.TIMEOUT),
        (-9, Bucket.SUSPICIOUS),
        (-11, Bucket.SUSPICIOUS),
        (99, Bucket.SUSPICIOUS),
    ],
)
def test_every_exit_code_has_its_bucket(code: int | None, bucket: Bucket) -> None:
    assert bucket_of(code) is bucket


def test_every_bucket_but_the_skipped_one_counts() -> None:
    found = score("a", [mutant(bucket) for bucket in Bucket])
    assert found.score == round(2 / 6, 4)
    assert found.buckets == {str(bucket): 1 for bucket in Bucket}


def test_a_run_that_tested_nothing_fails() -> None:
    assert "nothing was tested" in list(objections([mutant(Bucket.NO_TEST)], {}, None))
    assert "nothing was tested" in list(objections([], {}, None))


def test_a_mutant_that_was_not_checked_fails_the_run() -> None:
    (reason,) = objections([mutant(Bucket.KILLED, tier="core"), mutant(Bucket.UNCHECKED, tier="core")], {}, None)
    assert "1 mutants were not checked" in reason


def test_a_tier_below_its_minimum_fails() -> None:
    mutants = [mutant(Bucket.KILLED), mutant(Bucket.SURVIVED)]
    assert list(objections(mutants, {}, None)) == ["tier critical: score 0.50 is below 0.85"]
    assert not list(objections(mutants, {"critical": Tier(mutation=0.5)}, None))


def test_a_module_that_fell_below_the_baseline_fails() -> None:
    before = report(mutant(Bucket.KILLED))
    mutants = [mutant(Bucket.KILLED, tier="core"), mutant(Bucket.SURVIVED, 2, tier="core")]
    (reason,) = objections(mutants, {}, before)
    assert reason == "a.py: score fell from 1.0000 to 0.5000, explained survivors left out"


def test_a_survivor_that_is_explained_is_no_fall_below_the_baseline() -> None:
    before = report(mutant(Bucket.KILLED), mutant(Bucket.KILLED, 2))
    same = msgspec.structs.replace(mutant(Bucket.SURVIVED, 2, tier="core"), explained="changes no result")
    assert not list(objections([mutant(Bucket.KILLED, tier="core"), same], {}, before))
