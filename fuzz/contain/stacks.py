"""The Python stack of a stuck worker, taken from outside."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from fuzz.contain import system

_OWN_FRAMES = re.compile(r'^  File "[^"]*/fuzz/contain/worker\.py", line \d+ in _serve\n(?:  .*\n)*', re.MULTILINE)
_OWN_FRAMES_IN_PY_SPY = re.compile(r"^ +_serve \([^)]*worker\.py:\d+\)\n(?:  .*\n)*", re.MULTILINE)
_DUMP_SECONDS = 0.25
_QUIET_SECONDS = 0.002
_PY_SPY_SECONDS = 5.0


def read_dump(crash_fd: int) -> str:
    """What faulthandler has written so far."""
    return _dump(crash_fd, 0, os.fstat(crash_fd).st_size)


def _dump(crash_fd: int, start: int, end: int) -> str:
    text = os.pread(crash_fd, end - start, start).decode(errors="backslashreplace")
    # Below the call come the worker's own frames and those of the zygote that it is a fork of.
    return _OWN_FRAMES.sub("", text)


def of_stuck(pid: int, crash_fd: int) -> tuple[str, tuple[str, ...]]:
    """The stack of a running process, and why it could not be had, if so.

    faulthandler answers SIGUSR1 in about 2 ms, in native code too. A worker that blocks the signal is shown by
    py-spy where that is installed and may trace.
    """
    if not system.blocks_signal(pid, signal.SIGUSR1):
        dump = _ask(pid, crash_fd)
        if dump:
            return dump, ()
        reason = "the worker did not answer SIGUSR1"
    else:
        reason = "the worker blocks SIGUSR1"
    return _py_spy(pid, reason)


def _ask(pid: int, crash_fd: int) -> str:
    before = os.fstat(crash_fd).st_size
    try:
        os.kill(pid, signal.SIGUSR1)
    except ProcessLookupError:
        return ""
    until = time.monotonic() + _DUMP_SECONDS
    size = before
    while time.monotonic() < until:
        time.sleep(_QUIET_SECONDS)
        now = os.fstat(crash_fd).st_size
        if now > before and now == size:
            return _dump(crash_fd, before, now)
        size = now
    return ""


def _py_spy(pid: int, reason: str) -> tuple[str, tuple[str, ...]]:
    beside = Path(sys.executable).with_name("py-spy")
    program = str(beside) if beside.exists() else shutil.which("py-spy")
    if program is None:
        return "", (f"no stack: {reason}; py-spy, which could show it, is not installed (pip install py-spy)",)
    try:
        shown = subprocess.run(
            [program, "dump", "--pid", str(pid)], capture_output=True, text=True, timeout=_PY_SPY_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", (f"no stack: {reason}; py-spy failed: {error}",)
    if shown.returncode != 0:
        lines = shown.stderr.strip().splitlines() or [f"exit code {shown.returncode}"]
        return "", (f"no stack: {reason}; py-spy failed: {lines[-1]}",)
    return _OWN_FRAMES_IN_PY_SPY.sub("", shown.stdout), ()
