"""This repository held to its own tiers, as far as a quick test can; `make release-check` does it with every case."""

from __future__ import annotations

from pathlib import Path

import msgspec

from fuzz.configuration import load
from fuzz.gaps.run import GapsPlan, find_gaps

ROOT = Path(__file__).parents[3]
SEEDS = (
    "seed constrained-samples-with-drafts",
    "seed end-of-sequence-on-the-last-token",
    "seed needs-exactly-the-pool",
    "seed overlapping-stops",
    "seed prompt-ends-within-a-character",
    "seed schema-of-another-dialect",
    "seed schema-that-nothing-fits",
    "seed schema-with-a-fraction",
    "seed schemas-of-every-kind",
    "seed short-history-under-penalties",
    "seed usage-of-a-cached-prompt-with-samples",
    "seed youngest-gives-up-its-own-blocks",
)
"""Few enough to be quick; together they reach whatever all the seeds reach."""


def test_twelve_seeds_reach_every_line_and_branch_of_the_critical_tier(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(load(ROOT), folder=str(tmp_path))
    plan = GapsPlan("reference-hash", ROOT, settings, tiers=("critical",), cases=SEEDS)
    result = find_gaps(plan, lambda _done, _total: None)
    assert result.before is not None, "corpus/gaps holds the accepted baseline"
    assert not result.report.gaps
    assert result.report.passed
    assert result.report.complete
