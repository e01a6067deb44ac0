"""Every property is documented, cites real bugs, and belongs to its kind of target."""

from __future__ import annotations

import pytest

from fuzz.properties.model import Property
from fuzz.properties.registry import applicable, properties
from targets.contract import TargetKind
from targets.reference import HASH

CATALOGUE = {
    "CACHE": 45,
    "VALID": 41,
    "BATCH": 29,
    "SAMPLE": 20,
    "LIFE": 18,
    "STREAM": 16,
    "FINITE": 13,
    "DEVICE": 12,
    "GRAPH": 11,
    "LIMITS": 10,
}
"""Groups of the catalogue of 215 real bugs, and how many each has; ids count from 1."""

EXECUTORS = properties(TargetKind.EXECUTOR)


@pytest.mark.parametrize("found", EXECUTORS, ids=lambda found: found.code)
def test_a_property_cites_real_bugs(found: Property) -> None:
    assert found.sources
    for source in found.sources:
        group, _, number = source.partition("-")
        assert 1 <= int(number) <= CATALOGUE[group]
        assert source == f"{group}-{int(number):02d}"


@pytest.mark.parametrize("found", EXECUTORS, ids=lambda found: found.code)
def test_a_property_explains_itself(found: Property) -> None:
    assert len(found.explanation) >= 100
    assert found.title[0].isupper()


def test_all_but_the_missing_capability_applies() -> None:
    found = applicable(HASH, ["ScoresTokens", "ReportsResources", "InjectsFaults", "SavesState"])

    assert {code for code, why in found.missing.items() if why == "needs Detokenizes"} == {"P9", "P33"}
    assert set(found.missing) == {"P9", "P33"}
