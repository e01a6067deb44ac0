"""Faults committed in Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any, NoReturn

from targets.faults.fault import Fault

_CHUNK = 64 << 20
_MOST_MEMORY = 1 << 40
_FLOOD_BYTES = 1 << 30
_HALF_AN_HOUR = 1800


class PanicException(BaseException):
    """Looks like the class that every PyO3 extension makes for itself."""


PanicException.__module__ = "pyo3_runtime"


def raise_exception() -> NoReturn:
    """Raise ValueError."""
    raise ValueError("a fault: this exception is raised on purpose")


def raise_in_thread() -> None:
    """Have a thread end with an exception, and wait for that."""
    thread = threading.Thread(target=raise_exception, name="faulty")
    thread.start()
    thread.join()


def panic() -> NoReturn:
    """Raise what a Rust panic becomes in Python: not a subclass of Exception."""
    raise PanicException("called `Option::unwrap()` on a `None` value")


def overflow_stack() -> int:
    """Recurse until Python refuses."""
    return overflow_stack() + 1


def loop_forever() -> NoReturn:
    """Spin in Python."""
    while True:
        pass


def wait_for_lock() -> None:
    """Take a lock twice."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def sleep_with_signals_blocked() -> None:
    """Sleep where only SIGKILL helps."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(_HALF_AN_HOUR)


def grow() -> NoReturn:
    """Ask for memory until there is none: zeroed pages are never touched, so the machine does not suffer."""
    held: list[bytes] = []
    while len(held) * _CHUNK < _MOST_MEMORY:
        held.append(bytes(_CHUNK))
    raise MemoryError("no limit stopped this process at 1 TiB of address space")


def grow_tensors() -> NoReturn:
    """The same through torch's allocator, which raises a plain RuntimeError."""
    import torch

    held: list[Any] = []
    while len(held) * _CHUNK < _MOST_MEMORY:
        held.append(torch.empty(_CHUNK, dtype=torch.uint8))
    raise MemoryError("no limit stopped this process at 1 TiB of address space")


def flood() -> None:
    """Print 1 GB."""
    line = "flood " * 10_000
    for _ in range(_FLOOD_BYTES // len(line)):
        print(line)  # noqa: T201 - the fault itself


def exhaust_descriptors() -> NoReturn:
    """Open files until the process may open no more."""
    while True:
        os.open(os.devnull, os.O_RDONLY)


def leave_child() -> None:
    """Start a process and forget it."""
    subprocess.Popen(["sleep", str(_HALF_AN_HOUR)], stdout=subprocess.DEVNULL)


def leave_daemon() -> None:
    """Start a process in a session of its own whose parent ends at once, as a daemon does."""
    command = f"sleep {_HALF_AN_HOUR} &"
    subprocess.run(["/bin/sh", "-c", command], start_new_session=True, stdout=subprocess.DEVNULL, check=True)


def close_stdout() -> None:
    """Close the stream."""
    sys.stdout.close()


def change_state() -> None:
    """Change the working directory and the environment."""
    os.chdir(tempfile.gettempdir())
    os.environ["INFERFUZZ_FAULT"] = "changed"


def killed_from_outside() -> None:
    """Have another process send SIGKILL."""
    subprocess.run(["kill", "-KILL", str(os.getpid())], check=True)
    time.sleep(_HALF_AN_HOUR)


IN_PYTHON = (
    Fault("exception", "python", "raised", raise_exception, error_type="builtins.ValueError"),
    Fault("thread-exception", "python", "thread-raised", raise_in_thread),
    Fault("panic", "python", "panicked", panic, error_type="pyo3_runtime.PanicException"),
    Fault("sys-exit", "python", "exited", lambda: sys.exit(3), exit_code=3, error_type="builtins.SystemExit"),
    Fault("os-exit", "python", "exited", lambda: os._exit(0), exit_code=0),
    Fault("sigsegv", "python", "crashed", lambda: signal.raise_signal(signal.SIGSEGV), signal=signal.SIGSEGV),
    Fault("sigabrt", "python", "crashed", os.abort, signal=signal.SIGABRT),
    Fault("sigfpe", "python", "crashed", lambda: signal.raise_signal(signal.SIGFPE), signal=signal.SIGFPE),
    Fault("sigill", "python", "crashed", lambda: signal.raise_signal(signal.SIGILL), signal=signal.SIGILL),
    Fault("sigkill", "python", "killed", killed_from_outside, signal=signal.SIGKILL),
    Fault("stack-overflow", "python", "stack-overflow", overflow_stack, error_type="builtins.RecursionError"),
    Fault("loop", "python", "hung", loop_forever),
    Fault("lock", "python", "hung", wait_for_lock),
    Fault("signals-blocked", "python", "hung", sleep_with_signals_blocked),
    Fault("memory", "python", "out-of-memory", grow, error_type="builtins.MemoryError"),
    Fault(
        "memory-torch",
        "python",
        "out-of-memory",
        grow_tensors,
        error_type="builtins.RuntimeError",
        requires=("torch",),
        linux_only=True,
    ),
    Fault("output-flood", "python", "output-flood", flood, error_type="builtins.PermissionError", linux_only=True),
    Fault("descriptors", "python", "out-of-descriptors", exhaust_descriptors, error_type="builtins.OSError"),
    Fault("child", "python", "leaked-child", leave_child),
    Fault("daemon", "python", "leaked-child", leave_daemon, linux_only=True),
    Fault("closed-stdout", "python", "closed-stdout", close_stdout),
    Fault("changed-state", "python", "changed-state", change_state),
)
