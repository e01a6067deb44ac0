from __future__ import annotations

import pytest

from fuzz.campaign.plan import CampaignPlan, Unit, seconds_of, slots
from targets.errors import UsageError

UNITS = tuple(Unit(target=name, device="cpu", dtype="float32") for name in "abc")


def plan(units: int, jobs: int) -> CampaignPlan:
    return CampaignPlan(units=UNITS[:units], seconds=60.0, jobs=jobs, seed=0, engine="guided")


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("60s", 60), ("10m", 600), ("1h30m", 5400), ("0.5s", 0.5)])
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "10 parsecs", "0s", "-5s"])
def test_a_duration_that_makes_no_sense_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="Duration"):
        seconds_of(text)


def test_more_jobs_than_units_leave_no_job_idle() -> None:
    rows = slots(plan(units=1, jobs=2))
    assert [[(unit.target, seconds) for unit, seconds in row] for row in rows] == [[("a", 60.0)], [("a", 60.0)]]


@pytest.mark.parametrize("jobs", [1, 2])
def test_units_share_the_time_alike_and_no_slot_overruns(jobs: int) -> None:
    rows = slots(plan(units=3, jobs=jobs))
    totals: dict[str, float] = {}
    for row in rows:
        assert sum(seconds for _, seconds in row) == pytest.approx(60.0)
        for unit, seconds in row:
            totals[unit.target] = totals.get(unit.target, 0.0) + seconds
    assert totals == pytest.approx(dict.fromkeys("abc", 60.0 * jobs / 3))
