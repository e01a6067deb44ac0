"""Runs a check step by step; an interrupt ends it with what is known so far."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
import time
from collections.abc import Callable

from fuzz.check.model import CheckReport, StepResult
from fuzz.check.steps import Context, Planned, planned, run_step

Listener = Callable[[Planned], None]
"""Told before each step."""


def check(context: Context, listener: Listener) -> CheckReport:
    """The report. Never raises for what a target does or what the user named wrong; those are results."""
    started = time.monotonic()
    done: list[StepResult] = []
    interrupted = False
    try:
        for plan in planned(context):
            listener(plan)
            done.append(run_step(plan))
    except KeyboardInterrupt:
        interrupted = True
    return CheckReport(
        profile=context.profile.name,
        targets=context.targets,
        made=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        seconds=time.monotonic() - started,
        versions={"inferfuzz": _version(), "python": platform.python_version()},
        steps=tuple(done),
        interrupted=interrupted,
    )


def _version() -> str:
    try:
        return importlib.metadata.version("inferfuzz")
    except importlib.metadata.PackageNotFoundError:
        return "0"
