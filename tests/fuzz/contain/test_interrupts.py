"""However the parent ends, and at whatever moment, no process stays behind."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from fuzz.contain.outcome import Fate
from fuzz.contain.supervisor import Supervisor

PARENT = textwrap.dedent(
    """
    import sys, threading
    sys.path[:0] = {path!r}
    from fuzz.contain.supervisor import Supervisor
    supervisor = Supervisor("targets.faults.entry:make", deadline=60)
    print("started", flush=True)
    while True:
        for payload in {payloads!r}:
            supervisor.call(payload)
        print("called", flush=True)
    """
)


def _descendants_after(payloads: list[bytes], pause: float, number: int) -> list[psutil.Process]:
    """Start a parent, signal it `pause` seconds after it started, and return those of its descendants that live on."""
    path = [str(Path.cwd()), *sys.path]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(path=path, payloads=payloads)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"started\n"
    time.sleep(pause)
    family = psutil.Process(parent.pid).children(recursive=True)
    assert family
    parent.send_signal(number)
    parent.wait(20)
    parent.stdout.close()
    return _alive_after(family, 10)


def _alive_after(family: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    until = time.monotonic() + seconds
    while (alive := [process for process in family if _runs(process)]) and time.monotonic() < until:
        time.sleep(0.01)
    return alive


def _runs(process: psutil.Process) -> bool:
    # An ended orphan is a zombie until the first process of the system collects it, which may take seconds.
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


@pytest.mark.parametrize(
    ("fault", "number"),
    [
        (b"signals-blocked", signal.SIGINT),
        (b"child", signal.SIGTERM),
        (b"signals-blocked", signal.SIGKILL),
        (b"daemon", signal.SIGKILL),
    ],
)
def test_a_signal_to_the_parent_leaves_no_process_behind(fault: bytes, number: int) -> None:
    assert _descendants_after([fault], 0.2, number) == []


@pytest.mark.parametrize("pause", [0.0, 0.01, 0.03])
def test_a_kill_of_the_parent_at_any_moment_leaves_no_process_behind(pause: float) -> None:
    payloads = [b"sigsegv", b" fine", b"child", b"os-exit", b"daemon", b" fine"]
    assert _descendants_after(payloads, pause, signal.SIGKILL) == []


def test_an_interrupted_call_ends_its_worker_and_the_next_call_is_served() -> None:
    with Supervisor("contained_entries:make", deadline=60) as supervisor:
        supervisor.call(b"echo")
        signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            supervisor.call(b"sleep 60")
        assert supervisor.call(b"echo again").reply == b"again"
        assert supervisor.restarts == 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_close_ends_every_process() -> None:
    # Other tests of this process may have left children of their own, such as a resource tracker.
    strangers = set(psutil.Process().children(recursive=True))
    with Supervisor("contained_entries:make") as supervisor:
        supervisor.call(b"echo")
        family = [child for child in psutil.Process().children(recursive=True) if child not in strangers]
        assert len(family) >= 2
    assert _alive_after(family, 5) == []


def test_a_supervisor_outlives_the_thread_that_made_it() -> None:
    made: list[Supervisor] = []
    thread = threading.Thread(target=lambda: made.append(Supervisor("contained_entries:make")))
    thread.start()
    thread.join()
    with made[0] as supervisor:
        first = supervisor.call(b"pid").reply
        time.sleep(0.1)
        outcome = supervisor.call(b"pid")
        assert (outcome.fate, outcome.reply, outcome.notes) == (Fate.COMPLETED, first, ())
