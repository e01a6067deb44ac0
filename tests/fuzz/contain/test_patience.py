"""Deadlines count the time a worker could run, so a busy machine makes no false hang."""

from __future__ import annotations

import itertools
import time
from typing import cast

import pytest

from fuzz.contain import patience, system
from fuzz.contain.handle import Event, WorkerHandle


class SilentWorker:
    """Never answers; remembers for how long it was waited for."""

    pid = 0

    def __init__(self) -> None:
        self.waits: list[float] = []

    def wait(self, seconds: float) -> Event:
        self.waits.append(seconds)
        return Event.LATE


@pytest.fixture
def silent() -> WorkerHandle:
    return cast("WorkerHandle", SilentWorker())


def waits(worker: WorkerHandle) -> list[float]:
    return cast("SilentWorker", worker).waits


def test_a_worker_that_had_its_core_gets_its_deadline_and_no_more(
    silent: WorkerHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "seconds_waited_for_cpu", lambda _: 5.0)
    assert patience.wait_for_reply(silent, 1.0) is Event.LATE
    assert sum(waits(silent)) == pytest.approx(1.0)


def test_time_spent_waiting_for_a_core_is_given_back(silent: WorkerHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = iter([10.0, 10.5, 10.5])
    monkeypatch.setattr(system, "seconds_waited_for_cpu", lambda _: next(accounts))
    assert patience.wait_for_reply(silent, 1.0) is Event.LATE
    assert sum(waits(silent)) == pytest.approx(1.5)


def test_patience_ends_on_a_machine_that_never_has_time(silent: WorkerHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, starved = itertools.count(0.0, 0.25), itertools.count(0.0, 1.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(system, "seconds_waited_for_cpu", lambda _: next(starved))
    assert patience.wait_for_reply(silent, 1.0) is Event.LATE
    assert len(waits(silent)) < 20


def test_a_short_deadline_is_kept_as_it_is(silent: WorkerHandle) -> None:
    assert patience.wait_for_reply(silent, 0.01) is Event.LATE
    assert waits(silent) == [0.01]
