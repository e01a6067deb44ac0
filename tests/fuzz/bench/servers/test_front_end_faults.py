"""The reference front end is free of findings; each fault put into it is found and named."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.bench.servers.faults import FAULTS, SERVER, Fault
from fuzz.bench.servers.front_end import ROOT, hunt_faults
from fuzz.bench.servers.hunt import Summary, hunt
from targets import registry


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_line_of_a_fault_is_in_the_code_once(fault: Fault) -> None:
    assert (ROOT / SERVER / fault.file).read_text().count(fault.before) == 1


def test_a_fault_is_found_and_named_by_its_property() -> None:
    [fault] = [fault for fault in FAULTS if fault.name == "total-is-no-sum"]
    [hunted] = hunt_faults((fault,), seconds=30)
    assert hunted.found_by == "H29/total"


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_is_found_within_a_minute(fault: Fault) -> None:
    [hunted] = hunt_faults((fault,))
    assert hunted.found_by.partition("/")[0] in fault.codes


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["openai", "anthropic", "ollama"])
def test_the_front_end_has_no_findings_in_a_minute(dialect: str) -> None:
    [summary] = hunt(registry.find(f"reference-{dialect}"), 60, 1)
    assert isinstance(summary, Summary)
    assert summary.failing == 0 and summary.cases > 100


def test_a_fault_whose_line_is_gone_is_our_mistake(tmp_path: Path) -> None:
    del tmp_path
    gone = FAULTS[0]._replace(before="no such line")
    with pytest.raises(ValueError, match="is 0 times in"):
        next(hunt_faults((gone,)))
