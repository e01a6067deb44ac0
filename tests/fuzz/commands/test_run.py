"""`inferfuzz run`: what a campaign is told by the profile and by the other options."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from fuzz.campaign.plan import CampaignPlan
from fuzz.commands.run import command
from fuzz.configuration import Configuration
from fuzz.profiles import PROFILES


class PlannedError(Exception):
    """Ends the command where the campaign would start."""


def planned(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> CampaignPlan:
    def told(plan: CampaignPlan, _listener: object) -> None:
        raise PlannedError(plan)

    monkeypatch.setattr("fuzz.campaign.runner.run_campaign", told)
    result = CliRunner().invoke(command, ["scripted", *arguments], standalone_mode=False)
    if not isinstance(result.exception, PlannedError):
        raise result.exception or AssertionError(result.output)
    (plan,) = result.exception.args
    assert isinstance(plan, CampaignPlan)
    return plan


@pytest.fixture(autouse=True)
def unconfigured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CI", "GITHUB_ACTIONS", "INFERFUZZ_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def test_a_profile_gives_budget_patience_and_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(monkeypatch, "--profile", "ci")
    assert (plan.seconds, plan.seed) == (60.0, 0)
    assert plan.deadline == Configuration().deadline * PROFILES["ci"].patience


def test_other_options_win_over_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(monkeypatch, "--profile", "ci", "--time", "5s", "--seed", "7", "--deadline", "2")
    assert (plan.seconds, plan.seed, plan.deadline) == (5.0, 7, 2.0)


def test_without_a_profile_the_configured_time_is_the_budget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.inferfuzz]\ntime = "7m"\n')
    assert planned(monkeypatch).seconds == 420.0
    assert planned(monkeypatch, "--profile", "nightly").seconds == 3600.0
