"""Live progress of a campaign on standard error: a repainted panel on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fuzz.campaign.state import CampaignState, JobState

LINE_EVERY = 10.0
"""Seconds between two lines where there is no terminal to repaint."""
REPAINT = 0.25


class ProgressView:
    """Context manager whose instance is the campaign's listener."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._painted = 0.0
        self._announced: set[str] = set()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, state: CampaignState) -> None:
        """Show the state, as often as is useful."""
        self._announce(state)
        now = time.monotonic()
        if now - self._painted < (REPAINT if self._live else LINE_EVERY):
            return
        self._painted = now
        if self._live:
            self._live.update(_panel(state), refresh=True)
        elif state.total("executions"):
            self._console.print(_line(state), highlight=False)

    def _announce(self, state: CampaignState) -> None:
        """A finding is worth a line of its own the moment it is made."""
        for finding in list(state.findings.values()):
            if finding.id in self._announced or not finding.confirmation.attempts:
                continue
            self._announced.add(finding.id)
            kind = "flaky" if finding.confirmation.flaky else "finding"
            text = Text.assemble((f"{kind} ", "bold red"), (finding.id, "bold"), f"  {finding.title}")
            self._console.print(text, highlight=False)


def _panel(state: CampaignState) -> Group:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("target", "device", "engine", "cases", "cases/s", "arms", "corpus", "workers lost", ""):
        table.add_column(
            title, justify="left" if title in ("target", "device", "engine", "") else "right", no_wrap=True
        )
    for job in state.jobs.values():
        table.add_row(*_row(job))
    left = max(0.0, state.plan.seconds - state.seconds)
    bar = ProgressBar(total=state.plan.seconds, completed=min(state.seconds, state.plan.seconds), width=40)
    foot = Table.grid(padding=(0, 2))
    foot.add_row(bar, f"{_clock(left)} left", _findings_text(state))
    return Group(table, foot)


def _row(job: JobState) -> tuple[str, ...]:
    unit = job.unit
    engine = job.described.engine if job.described else ""
    device = f"{unit.device} {unit.dtype}"
    progress = job.progress
    if job.broken:
        return (unit.target, device, engine, "", "", "", "", "", "broken")
    if progress is None:
        return (unit.target, device, engine, "", "", "", "", "", "loading")
    numbers = (f"{progress.executions:,}", f"{progress.rate:,.0f}", f"{progress.arms:,}", f"{progress.corpus:,}")
    return (unit.target, device, engine, *numbers, f"{progress.restarts:,}", job.triage or job.ended)


def _line(state: CampaignState) -> str:
    left = max(0.0, state.plan.seconds - state.seconds)
    speed = sum(job.progress.rate for job in state.jobs.values() if job.progress)
    # While a failure is shrunk no cases are counted, which would look as if the campaign hung.
    shrinking = list(dict.fromkeys(job.triage for job in state.jobs.values() if job.triage))
    return ", ".join(
        (
            f"{state.total('executions'):,} cases",
            f"{speed:,.0f}/s",
            f"{state.total('arms'):,} arms",
            f"{state.total('corpus'):,} in corpus",
            _findings_text(state),
            *shrinking,
            f"{_clock(left)} left",
        )
    )


def _findings_text(state: CampaignState) -> str:
    count = len(state.confirmed())
    text = "1 finding" if count == 1 else f"{count or 'no'} findings"
    return f"{text}, {len(state.flaky())} flaky" if state.flaky() else text


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
