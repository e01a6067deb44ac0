"""How long the parent waits: wall time, less the time that the worker stood ready and was given no core.

A machine that is busy elsewhere must not turn a slow call into a hang; so much patience ends at four deadlines.
"""

from __future__ import annotations

import time

from fuzz.contain import system
from fuzz.contain.handle import Event, WorkerHandle

_MOST_DEADLINES = 4
_QUICK_SECONDS = 0.05
"""Calls that end sooner cost no look at the scheduler's accounts."""
_NEGLIGIBLE = 0.01


def wait_for_reply(worker: WorkerHandle, deadline: float) -> Event:
    """Wait until the call in hand is answered, its worker has ended, or the deadline (seconds) is over."""
    first = min(deadline, _QUICK_SECONDS)
    event = worker.wait(first)
    if event is not Event.LATE:
        return event
    until = time.monotonic() + deadline * _MOST_DEADLINES
    waited = system.seconds_waited_for_cpu(worker.pid)
    remaining = deadline - first
    while remaining > 0:
        event = worker.wait(min(remaining, until - time.monotonic()))
        if event is not Event.LATE or time.monotonic() >= until:
            return event
        now = system.seconds_waited_for_cpu(worker.pid)
        remaining, waited = now - waited, now
        if remaining < deadline * _NEGLIGIBLE:
            break
    return Event.LATE


def wait_for_case(worker: WorkerHandle, deadline: float) -> Event:
    """Wait until a loop in the worker ends, its worker has ended, or one of its cases outlives the deadline.

    The time between two cases, in which the loop makes the next one, has the same deadline.
    """
    tick = min(max(deadline / 8, 0.005), 0.25)
    posted = time.monotonic_ns()
    since, waited = -1, 0.0
    while True:
        event = worker.wait(tick)
        if event is not Event.LATE:
            return event
        started = worker.recorder.since or posted
        if started != since:
            since, waited = started, system.seconds_waited_for_cpu(worker.pid)
        age = (time.monotonic_ns() - started) / 1e9
        if age > deadline:
            starved = system.seconds_waited_for_cpu(worker.pid) - waited
            if age - starved > deadline or age > deadline * _MOST_DEADLINES:
                return Event.LATE
