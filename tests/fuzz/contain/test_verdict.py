"""Exceptions and ends of processes, judged."""

from __future__ import annotations

import errno
import signal

import pytest

from fuzz.contain import verdict
from fuzz.contain.outcome import Fate
from targets.faults.in_python import PanicException


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001 - the parameters include such
        return caught


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (ValueError("x"), Fate.RAISED),
        (KeyboardInterrupt(), Fate.RAISED),
        (GeneratorExit(), Fate.RAISED),
        (SystemExit(0), Fate.EXITED),
        (PanicException("x"), Fate.PANICKED),
        (RecursionError("x"), Fate.STACK_OVERFLOW),
        (MemoryError(), Fate.OUT_OF_MEMORY),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), Fate.OUT_OF_MEMORY),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), Fate.OUT_OF_MEMORY),
        (RuntimeError("MPS backend out of memory"), Fate.OUT_OF_MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), Fate.OUT_OF_MEMORY),
        (OSError(errno.EMFILE, "Too many open files"), Fate.OUT_OF_DESCRIPTORS),
        (OSError(errno.ENOENT, "No such file"), Fate.RAISED),
        (RuntimeError("blocks are out of memory order"), Fate.RAISED),
    ],
)
def test_an_exception_has_its_fate(error: BaseException, fate: Fate) -> None:
    assert verdict.of_exception(raised(error)).fate is fate


@pytest.mark.parametrize(("code", "expected"), [(None, 0), (0, 0), (7, 7), ("bad arguments", 1)])
def test_an_exit_code_is_what_the_shell_would_see(code: str | int | None, expected: int) -> None:
    assert verdict.of_exception(raised(SystemExit(code))).exit_code == expected


def test_a_long_traceback_keeps_its_beginning_and_its_end() -> None:
    stack = verdict.of_exception(raised(ValueError("x" * 50_000 + " the end"))).stack
    assert len(stack) < 25_000
    assert stack.startswith("Traceback")
    assert stack.endswith(" the end\n")
    assert "\n...\n" in stack


@pytest.mark.parametrize(
    ("number", "stack", "output", "fate"),
    [
        (signal.SIGSEGV, "", "", Fate.CRASHED),
        (
            signal.SIGSEGV,
            "Current thread (most recent call first):\n" + '  File "a.py", line 1\n' * 99,
            "",
            Fate.CRASHED,
        ),
        (
            signal.SIGSEGV,
            "Current thread (most recent call first):\n" + '  File "a.py", line 1\n' * 100,
            "",
            Fate.STACK_OVERFLOW,
        ),
        (signal.SIGABRT, "Fatal Python error: Cannot recover from stack overflow.", "", Fate.STACK_OVERFLOW),
        (signal.SIGABRT, "", "terminate called after throwing 'std::bad_alloc'", Fate.OUT_OF_MEMORY),
        (signal.SIGABRT, "", "", Fate.CRASHED),
        (signal.SIGKILL, "", "", Fate.KILLED),
        (signal.SIGTERM, "", "", Fate.KILLED),
        (64, "", "", Fate.CRASHED),
    ],
)
def test_a_signal_has_its_fate(number: int, stack: str, output: str, fate: Fate) -> None:
    outcome = verdict.of_death(number, stack, output, flooded=False)
    assert (outcome.fate, outcome.signal, outcome.exit_code) == (fate, number, None)


def test_an_exit_code_is_told_from_a_signal() -> None:
    outcome = verdict.of_death(5 << 8, "", "", flooded=False)
    assert (outcome.fate, outcome.signal, outcome.exit_code) == (Fate.EXITED, None, 5)


def test_a_flood_outranks_how_the_process_ended() -> None:
    outcome = verdict.of_death(signal.SIGABRT, "", "", flooded=True)
    assert (outcome.fate, outcome.signal) == (Fate.OUTPUT_FLOOD, signal.SIGABRT)
    assert "SIGABRT" in outcome.message
    assert verdict.of_hang(1.0, "", "", flooded=True, notes=()).fate is Fate.OUTPUT_FLOOD
