"""Runs a certification in a process group of its own, which is ended when the time is up: it cannot hang a build."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import IO

import msgspec

from fuzz.certify.model import Began, Certificate, CertifyPlan, DeviceReport, Done, Event, Opened, Refused, Status, Step
from targets.errors import UsageError


def certify(plan: CertifyPlan) -> Certificate:
    """The certificate. Returns at the limit at the latest, whatever the target does.

    Raises `UsageError` for what the user named or wrote wrong.
    """
    started = time.monotonic()
    gathered = _Gathered(plan)
    complaints: list[bytes] = []
    for event in _events(plan, started + plan.limit, complaints):
        gathered.take(event)
    return gathered.certificate(time.monotonic() - started, b"".join(complaints[-20:]).decode(errors="replace"))


class _Gathered:
    """What is known so far."""

    def __init__(self, plan: CertifyPlan) -> None:
        self._plan = plan
        self._opened: Opened | None = None
        self._steps: dict[str, list[Step]] = {}
        self._models: dict[str, str] = {}
        self._trying: Began | None = None
        self._since = time.monotonic()

    def take(self, event: Event) -> None:
        match event:
            case Opened():
                self._opened = event
            case Began():
                self._trying = event
                self._since = time.monotonic()
            case Done(device=device, step=step, model=model):
                self._trying = None
                self._steps.setdefault(device, []).append(step)
                if model:
                    self._models[device] = model
            case Refused(message=message):
                raise UsageError(message)

    def certificate(self, seconds: float, complaints: str) -> Certificate:
        late = seconds >= self._plan.limit
        cause = f"no answer within the limit of {self._plan.limit:g} s" if late else "the process ended by itself"
        if self._trying is not None:
            lost = Step(
                name=self._trying.step, status=Status.FAILED, seconds=time.monotonic() - self._since, detail=cause
            )
            self._steps.setdefault(self._trying.device, []).append(lost)
        devices = tuple(self._report(device, dtype) for device, dtype in self._opened.units) if self._opened else ()
        return Certificate(
            target=self._plan.target,
            certified=bool(devices) and all(device.passed for device in devices),
            made=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            seconds=seconds,
            limit=self._plan.limit,
            devices=devices,
            code=self._opened.code if self._opened else {},
            versions=self._opened.versions if self._opened else {},
            problem="" if self._opened else f"Target {self._plan.target!r} is not imported: {cause}.\n{complaints}",
        )

    def _report(self, device: str, dtype: str) -> DeviceReport:
        assert self._opened is not None
        tried = self._steps.get(device, [])
        names = {step.name for step in tried}
        missing = [Step(name=name, status=Status.UNREACHED) for name in self._opened.steps if name not in names]
        return DeviceReport(device=device, dtype=dtype, model=self._models.get(device, ""), steps=(*tried, *missing))


def _events(plan: CertifyPlan, end: float, complaints: list[bytes]) -> Iterator[Event]:
    """Events of the job until it ends or the time is up; its whole group is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fuzz.certify.job"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin and process.stdout and process.stderr
    lines: queue.Queue[bytes | None] = queue.Queue()
    for read in ((_read, process.stdout, lines), (_drain, process.stderr, complaints)):
        threading.Thread(target=read[0], args=read[1:], daemon=True).start()
    try:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(msgspec.json.encode(plan))
            process.stdin.close()
        while (line := lines.get(timeout=max(0.01, end - time.monotonic()))) is not None:
            yield msgspec.json.decode(line, type=Event)
    except queue.Empty:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):  # not even a process that the kernel holds delays us
            process.wait(timeout=1.0)


def _read(stream: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _drain(stream: IO[bytes], complaints: list[bytes]) -> None:
    for line in stream:
        complaints.append(line)
        del complaints[:-40]
