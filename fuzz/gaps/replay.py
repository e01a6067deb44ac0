"""A plain process that replays cases under coverage.py, judging them in-process: one context a property and strategy.

The plan's path is the argument; events go to standard output as JSON lines. Nothing of the target, and as little as
possible of ours, is imported before the measurement starts.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

import coverage
import msgspec

from fuzz.gaps.model import Failed, Ready, ReplayEvent, ReplayPlan, Saved, Trying

SAVE_EVERY = 1.0
"""Seconds between two writings of the data; whatever ends the process costs no more than that."""
REPLAY = "replay"
"""Context of the run of the case itself, before any property asks for another."""
SEPARATOR = "|"


def main() -> None:
    """Replay the cases of the plan whose path is the first argument."""
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=ReplayPlan)
    measured = coverage.Coverage(
        data_file=plan.data, data_suffix=True, branch=True, include=list(plan.files), config_file=False
    )
    # Hypothesis' and pytest's plugins may have a tracer of their own; ours starts before the target is imported.
    measured.start()
    try:
        _replay(measured, plan)
    finally:
        measured.stop()
        measured.save()


def _replay(measured: coverage.Coverage, plan: ReplayPlan) -> None:
    from fuzz.gaps.judging import Judging  # imports what may import the target

    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def say(event: ReplayEvent) -> None:
        events.write(msgspec.json.encode(event) + b"\n")

    try:
        judging = Judging(plan, measured.switch_context)
    except Exception:  # noqa: BLE001 - whatever the target raises, the caller is told
        say(Failed(message=traceback.format_exc()))
        return
    say(Ready(codes=judging.codes))
    names: list[str] = []
    raised: dict[str, str] = {}
    violated: dict[str, tuple[str, ...]] = {}
    saved = time.monotonic()
    for position, case in enumerate(plan.cases):
        say(Trying(name=case.name))
        try:
            found = judging.judge(case)
            if found:
                violated[case.name] = found
        except Exception as error:  # noqa: BLE001 - the next case is replayed all the same
            raised[case.name] = f"{type(error).__name__}: {error}"
        names.append(case.name)
        if time.monotonic() - saved > SAVE_EVERY or position + 1 == len(plan.cases):
            measured.stop()
            measured.save()
            say(Saved(names=tuple(names), raised=raised, violated=violated))
            names, raised, violated = [], {}, {}
            measured.start()
            saved = time.monotonic()


if __name__ == "__main__":
    main()
