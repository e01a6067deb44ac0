"""Exceptions of an executor as plain data, and which exceptions are left to containment."""

from __future__ import annotations

import traceback
from pathlib import PurePath
from types import TracebackType

from fuzz.lab.recording import Failure, Rejection
from targets.contract import RequestRejected

_STACK_LINES = 40
_MESSAGE = 500
_VALUE = 120
_DEVICE_LOST = ("AcceleratorError", "DeferredCudaCallError")
"""After these the device of this process is unusable; only a new worker helps, so containment must see them."""


def belongs_to_containment(error: Exception) -> bool:
    """Whether the worker itself is in question: memory, the end of the stack, a lost device."""
    return isinstance(error, MemoryError | RecursionError) or type(error).__name__ in _DEVICE_LOST


def failure_of(error: Exception, call: str, modules: tuple[str, ...], request_id: str, step: int) -> Failure:
    """The exception as data. `modules` are the import names of the target's code."""
    return Failure(
        call=call,
        error_type=type(error).__name__,
        message=str(error)[:_MESSAGE],
        frame=_innermost(error.__traceback__, modules),
        stack="".join(traceback.format_exception(error)[-_STACK_LINES:]),
        request_id=request_id,
        step=step,
    )


def rejection_of(error: RequestRejected) -> Rejection:
    """The refusal as data. Never raises, whatever the executor put into it."""
    return Rejection(field=str(error.field), value=shown(error.value), allowed=str(error.allowed))


def shown(value: object) -> str:
    """A value of any type as one line of Python text."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a value of the target may fail in any way when it is shown
        text = f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}..."


def _innermost(trace: TracebackType | None, modules: tuple[str, ...]) -> str:
    """`file:function` of the innermost frame in the target's code, or of the innermost frame if there is none."""
    found = ""
    last = "unknown"
    while trace is not None:
        code = trace.tb_frame.f_code
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        last = f"{PurePath(code.co_filename).name}:{code.co_name}"
        if any(module == name or module.startswith(f"{name}.") for name in modules):
            found = last
        trace = trace.tb_next
    return found or last
