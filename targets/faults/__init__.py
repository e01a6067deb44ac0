"""Faults to test containment with: every way a call can hurt, each with what must be said of it.

Commit one only in a process that may be lost: see `targets.scripted` and `fuzz.contain`.
"""

from __future__ import annotations

from targets.errors import unknown
from targets.faults.fault import Fault
from targets.faults.in_native import IN_NATIVE_CODE
from targets.faults.in_python import IN_PYTHON

FAULTS: dict[str, Fault] = {fault.name: fault for fault in (*IN_PYTHON, *IN_NATIVE_CODE)}
"""By name; those in native code end in `-c`."""


def find(name: str) -> Fault:
    """The fault of that name. Raises `UsageError` for an unknown one."""
    if name not in FAULTS:
        raise unknown("fault", name, FAULTS, "The faults are listed in targets.faults.FAULTS.")
    return FAULTS[name]


def commit(name: str) -> None:
    """Commit a fault in this process. Raises `UsageError` for an unknown name."""
    find(name).commit()


__all__ = ["FAULTS", "Fault", "commit", "find"]
