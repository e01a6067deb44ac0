"""The flight recorder: the case in hand stands in shared memory before it runs.

For loops inside the worker, which generate and run cases without waking the parent: whatever ends the worker, the
parent finds the guilty case, and it sees from the stamp how long that case has been running.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from fuzz.contain.mailbox import Mailbox, MailboxError

_IDLE = 0
_RUNNING = 1


@dataclass(frozen=True)
class Record:
    """What the recorder says at one moment."""

    case: bytes
    running: bool
    """Whether the case is between `begin` and `end`."""
    since: int
    """Monotonic nanoseconds of the last `begin` or `end`; 0 before the first."""


class FlightRecorder:
    """Writes the case in hand; one writer (the worker) and one reader (the parent)."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def begin(self, case: bytes) -> None:
        """Record a case that is about to run."""
        self._mailbox.write(case, kind=_RUNNING, stamp=time.monotonic_ns())

    def end(self) -> None:
        """The case has run; it stays readable until the next `begin`."""
        self._mailbox.mark(time.monotonic_ns(), kind=_IDLE)

    def read(self) -> Record:
        """The latest record. Raises `MailboxError` if something wrote over it."""
        running = self._mailbox.kind == _RUNNING
        return Record(self._mailbox.read(), running, self._mailbox.stamp)

    @property
    def since(self) -> int:
        """Monotonic nanoseconds of the last `begin` or `end`; 0 before the first."""
        return self._mailbox.stamp

    def close(self) -> None:
        """Give back the memory."""
        self._mailbox.close()


__all__ = ["FlightRecorder", "MailboxError", "Record"]
