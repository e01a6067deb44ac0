from __future__ import annotations

import msgspec

from fuzz.campaign.events import Advanced, Found
from fuzz.campaign.plan import CampaignPlan, Unit
from fuzz.campaign.state import CampaignState, exit_code, inconclusive
from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines.model import Progress
from fuzz.findings.model import Confirmation, Finding

UNITS = tuple(Unit(target=name, device="cpu", dtype="float32") for name in ("a", "b"))


def state(*units: Unit) -> CampaignState:
    return CampaignState(CampaignPlan(units=units, seconds=1.0, jobs=2, seed=0, engine="guided"))


def ran(executions: int, compared: int = 0, excused: int = 0) -> Advanced:
    progress = Progress(executions=executions, seconds=1.0, arms=1, corpus=1, compared=compared, excused=excused)
    return Advanced(progress=progress)


def found(name: str, signature: str, *also: str, repeated: int = 3) -> Found:
    finding = Finding(
        id=name,
        title=name,
        signature=signature,
        also=also,
        target="a",
        device="cpu",
        dtype="float32",
        codes=(),
        case=msgspec.Raw(b"{}"),
        original=msgspec.Raw(b"{}"),
        outcome=Outcome(fate=Fate.COMPLETED),
        confirmation=Confirmation(attempts=3, repeated=repeated),
    )
    return Found(finding=finding)


def test_a_run_without_findings_is_clean() -> None:
    campaign = state(UNITS[0])
    campaign.apply(0, UNITS[0], ran(10))
    assert exit_code(campaign) == 0


def test_a_unit_on_which_nothing_ran_makes_it_inconclusive() -> None:
    campaign = state(*UNITS)
    campaign.apply(0, UNITS[0], ran(10))
    assert inconclusive(campaign) == ("nothing was run on b cpu float32",)
    assert exit_code(campaign) == 3


def test_a_second_job_that_came_too_late_does_not() -> None:
    campaign = state(UNITS[0])
    campaign.apply(0, UNITS[0], ran(10))
    campaign.apply(1, UNITS[0], ran(0))
    assert exit_code(campaign) == 0


def test_more_than_one_per_cent_of_excused_comparisons_is_inconclusive() -> None:
    campaign = state(UNITS[0])
    campaign.apply(0, UNITS[0], ran(10, compared=1000, excused=11))
    assert exit_code(campaign) == 3
    campaign.apply(0, UNITS[0], ran(10, compared=1000, excused=10))
    assert exit_code(campaign) == 0


def test_findings_of_two_targets_that_share_a_signature_are_one() -> None:
    campaign = state(*UNITS)
    campaign.apply(0, UNITS[0], found("one", "P13/x", "P16/y"))
    campaign.apply(1, UNITS[1], found("two", "P16/y", "P11/z"))
    (finding,) = campaign.findings.values()
    assert finding.also == ("P16/y", "P11/z")
    assert campaign.seen_on["one"] == ("a cpu float32", "b cpu float32")
    assert exit_code(campaign) == 1


def test_a_finding_that_repeats_takes_the_place_of_one_that_did_not() -> None:
    campaign = state(*UNITS)
    campaign.apply(0, UNITS[0], found("one", "P13/x", repeated=1))
    campaign.apply(1, UNITS[1], found("two", "P16/y", "P13/x"))
    (finding,) = campaign.findings.values()
    assert finding.id == "two"
    assert campaign.absorbed == ["one"]
    assert campaign.seen_on["two"] == ("a cpu float32", "b cpu float32")
    assert exit_code(campaign) == 1


def test_a_later_version_of_a_finding_takes_its_place() -> None:
    campaign = state(UNITS[0])
    campaign.apply(0, UNITS[0], found("one", "P13/x", repeated=0))
    campaign.apply(0, UNITS[0], found("one", "P13/x"))
    assert [finding.confirmation.repeated for finding in campaign.findings.values()] == [3]


def test_failures_that_do_not_repeat_are_no_findings_but_inconclusive() -> None:
    campaign = state(UNITS[0])
    campaign.apply(0, UNITS[0], ran(10))
    campaign.apply(0, UNITS[0], found("one", "P13/x", repeated=1))
    assert campaign.confirmed() == ()
    assert exit_code(campaign) == 3
