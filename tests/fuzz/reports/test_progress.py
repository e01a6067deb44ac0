"""Where there is no terminal, a line now and then says how far a campaign is and what it is busy with."""

from __future__ import annotations

import io

from rich.console import Console

from fuzz.campaign.events import Advanced
from fuzz.campaign.plan import CampaignPlan, Unit
from fuzz.campaign.state import CampaignState
from fuzz.engines.model import Progress
from fuzz.reports.progress import ProgressView

UNIT = Unit(target="a", device="cpu", dtype="float32")


def line_of(*triages: str) -> str:
    state = CampaignState(CampaignPlan(units=(UNIT,), seconds=60.0, jobs=2, seed=0, engine="guided"))
    for job, triage in enumerate(triages):
        progress = Progress(executions=600, seconds=1.0, arms=7, corpus=5, compared=0, excused=0)
        state.apply(job, UNIT, Advanced(progress=progress, triage=triage))
    out = io.StringIO()
    with ProgressView(Console(file=out, width=200)) as view:
        view(state)
    return out.getvalue().rstrip("\n")


def test_the_line_adds_up_the_jobs() -> None:
    assert line_of("", "").startswith("1,200 cases, 1,200/s, 14 arms, 10 in corpus, no findings, ")


def test_the_line_says_what_is_shrunk_since_no_cases_are_counted_meanwhile() -> None:
    assert "no findings, shrinking H1/truncated, " in line_of("", "shrinking H1/truncated")


def test_what_two_jobs_shrink_is_said_once() -> None:
    assert line_of("shrinking P1/raised", "shrinking P1/raised").count("shrinking") == 1
