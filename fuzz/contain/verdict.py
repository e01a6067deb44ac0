"""From an exception, or from the way a process ended, to an outcome. Pure functions."""

from __future__ import annotations

import errno
import os
import re
import signal
import traceback

from fuzz.contain.outcome import Fate, Outcome

_OUT_OF_MEMORY = re.compile(
    r"can't allocate memory|CUDA out of memory|HIP out of memory|MPS backend out of memory|std::bad_alloc"
    r"|Cannot allocate memory|Unable to allocate .*array"
)
"""How torch's and NumPy's allocators, C++ and libc say it; torch raises a plain RuntimeError on the CPU."""

_OVERFLOWED = "Cannot recover from stack overflow"
_MOST_FRAMES = 100
"""faulthandler ends a thread's dump after so many frames; some versions then say `...`, some do not."""

_EXTERNAL = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_STACK_LIMIT = 20_000


def of_exception(error: BaseException) -> Outcome:
    """The outcome of a call that raised."""
    message = _text(error)
    return Outcome(
        fate=_fate_of(error, message),
        error_type=type_name(error),
        message=message,
        stack=_stack(error),
        exit_code=_exit_code(error) if isinstance(error, SystemExit) else None,
    )


def type_name(error: BaseException) -> str:
    """Module and qualified name of an exception's type."""
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _fate_of(error: BaseException, message: str) -> Fate:
    if isinstance(error, SystemExit):
        return Fate.EXITED
    # Every Rust extension has a PanicException class of its own, and none can be imported.
    if type_name(error) == "pyo3_runtime.PanicException":
        return Fate.PANICKED
    if isinstance(error, RecursionError):
        return Fate.STACK_OVERFLOW
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(message):
        return Fate.OUT_OF_MEMORY
    if isinstance(error, OSError):
        if error.errno == errno.ENOMEM:
            return Fate.OUT_OF_MEMORY
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return Fate.OUT_OF_DESCRIPTORS
    return Fate.RAISED


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    return error.code if isinstance(error.code, int) else 1


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as second:  # noqa: BLE001 - a broken __str__ must not hide the first exception
        return f"(its text cannot be had: {type_name(second)})"


def _stack(error: BaseException) -> str:
    try:
        # The outermost frame is the worker's own.
        inner = error.__traceback__.tb_next if error.__traceback__ else None
        text = "".join(traceback.format_exception(type(error), error, inner or error.__traceback__))
    except BaseException as second:  # noqa: BLE001 - see above; memory may be short as well
        return f"(its traceback cannot be had: {type_name(second)})"
    return text if len(text) <= _STACK_LIMIT else text[: _STACK_LIMIT // 2] + "\n...\n" + text[-_STACK_LIMIT // 2 :]


def of_death(status: int, stack: str, output_tail: str, *, flooded: bool) -> Outcome:
    """The outcome of a call whose worker ended by itself, from its wait status, its crash dump and its output."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    if number is None:
        fate, message = Fate.EXITED, f"the process ended itself with exit code {code}"
    else:
        fate, message = _fate_of_signal(number, stack, output_tail), f"the process was ended by {_name(number)}"
    if flooded:
        fate, message = Fate.OUTPUT_FLOOD, f"the output reached its limit; then {message}"
    return Outcome(fate=fate, message=message, signal=number, exit_code=code, stack=stack, output_tail=output_tail)


def _fate_of_signal(number: int, stack: str, output_tail: str) -> Fate:
    if number in _EXTERNAL:
        return Fate.KILLED
    if number == signal.SIGABRT and "std::bad_alloc" in output_tail:
        return Fate.OUT_OF_MEMORY
    if _OVERFLOWED in stack or (number in (signal.SIGSEGV, signal.SIGBUS) and _deepest(stack) >= _MOST_FRAMES):
        return Fate.STACK_OVERFLOW
    return Fate.CRASHED


def _deepest(stack: str) -> int:
    """The most frames that a dump shows of one thread."""
    return max(block.count("\n  File ") for block in f"\n{stack}".split("most recent call first"))


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def of_hang(deadline: float, stack: str, output_tail: str, *, flooded: bool, notes: tuple[str, ...]) -> Outcome:
    """The outcome of a call that did not answer within `deadline` seconds."""
    return Outcome(
        fate=Fate.OUTPUT_FLOOD if flooded else Fate.HUNG,
        message=f"no answer within {deadline:g} s",
        stack=stack,
        output_tail=output_tail,
        notes=notes,
    )
