"""Tiers: which file belongs to which, and when one fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.configuration import Tier
from fuzz.gaps.model import FileCoverage, TierResult
from fuzz.gaps.tiers import judge_tiers, tier_of, unmatched
from targets.errors import UsageError

TIERS = {"critical": Tier(paths=("engine/cache*",)), "utility": Tier(paths=("src/engine/tools",), lines=50.0)}


def covered(tier: str, lines: int, of: int = 100) -> FileCoverage:
    return FileCoverage(
        path="x.py", module="x", tier=tier, lines=of, covered_lines=lines, branches=of, covered_branches=lines
    )


def result(lines: float) -> TierResult:
    return TierResult(name="core", files=1, lines=lines, branches=lines, minimum_lines=95.0, minimum_branches=95.0)


def test_the_first_tier_with_a_matching_pattern_takes_a_file() -> None:
    assert tier_of(("src/engine/cache.py", "engine/cache.py"), TIERS) == "critical"


def test_a_pattern_without_wildcards_takes_what_is_below_it() -> None:
    assert tier_of(("src/engine/tools/text.py", "engine/tools/text.py"), TIERS) == "utility"


def test_a_file_that_no_pattern_matches_belongs_to_core() -> None:
    assert tier_of(("src/engine/other.py",), TIERS) == "core"


def test_a_tier_below_its_minimum_fails_with_the_figures() -> None:
    (tier,) = judge_tiers([covered("critical", 99)], TIERS, {})
    assert tier.reasons == ("line coverage 99.00 % is below 100 %", "branch coverage 99.00 % is below 100 %")


def test_a_tier_that_lost_coverage_fails_above_its_minimum() -> None:
    (tier,) = judge_tiers([covered("core", 97)], {}, {"core": result(98.0)})
    assert "line coverage fell from 98.00 % to 97.00 %" in tier.reasons


def test_a_tier_that_kept_its_coverage_passes() -> None:
    (tier,) = judge_tiers([covered("core", 97)], {}, {"core": result(97.0)})
    assert tier.passed


def test_the_configuration_lowers_a_minimum() -> None:
    (tier,) = judge_tiers([covered("utility", 51)], TIERS, {})
    assert tier.passed


def test_a_tier_of_ones_own_needs_a_minimum() -> None:
    with pytest.raises(UsageError, match=r"tiers\.mine\] says no minimum"):
        judge_tiers([covered("mine", 1)], {"mine": Tier(paths=("x.py",))}, {})


def test_a_pattern_that_matches_nothing_is_reported(tmp_path: Path) -> None:
    (note,) = unmatched([("engine/cache.py",)], TIERS, tmp_path)
    assert "src/engine/tools" in note


def test_a_pattern_for_files_of_another_target_is_not_taken_for_misspelt(tmp_path: Path) -> None:
    (tmp_path / "src" / "engine" / "tools").mkdir(parents=True)
    assert not unmatched([("engine/cache.py",)], TIERS, tmp_path)
