"""The parent's side of one worker."""

from __future__ import annotations

import contextlib
import enum
import os
import select
import time
from collections.abc import Callable

from fuzz.contain import stacks, system
from fuzz.contain.effects import read_tail
from fuzz.contain.links import Links
from fuzz.contain.mailbox import Mailbox
from fuzz.contain.recorder import FlightRecorder

_PROBE_SECONDS = 0.01
"""How often the zygote is asked whether a worker has ended, where no pidfd tells."""


class Event(enum.Enum):
    """What ended a wait."""

    REPLIED = enum.auto()
    ENDED = enum.auto()
    LATE = enum.auto()


class WorkerHandle:
    """Descriptors, mailboxes and process id of a worker; owns them until `close`."""

    def __init__(self, pid: int, links: Links, pidfd: int | None, probe: Callable[[int], bool]) -> None:
        self.pid = pid
        self.ready = False
        """Whether it has said that its callable is made."""
        self.status: int | None = None
        """Its wait status, once it has been reaped; nothing may be sent to its process id from then on."""
        self.request = Mailbox(links.request)
        self.reply = Mailbox(links.reply)
        self.recorder = FlightRecorder(Mailbox(links.recorder))
        self._links = links
        self._pidfd = pidfd
        self._probe = probe
        self._poller = select.poll()
        self._poller.register(links.done, select.POLLIN)
        if pidfd is not None:
            self._poller.register(pidfd, select.POLLIN)

    def post(self, payload: bytes) -> None:
        """Hand over a call. A worker that has ended takes nothing, and `wait` will say so."""
        self.request.write(payload)
        with contextlib.suppress(BrokenPipeError):
            os.write(self._links.wake, b".")

    @property
    def has_taken(self) -> bool:
        """Whether the worker began the call that was posted last."""
        return self.request.stamp != 0

    def wait(self, seconds: float) -> Event:
        """Wait for the reply, the end of the process, or `seconds`, whichever is first."""
        until = time.monotonic() + seconds
        remaining = seconds
        while True:
            ready = self._poller.poll(max(0.0, self._nap(remaining)) * 1000)
            done = self._links.done
            for fd, _ in ready:
                if fd == done and os.read(done, 1):
                    return Event.REPLIED
            if ready:
                return Event.ENDED
            remaining = until - time.monotonic()
            if self._pidfd is None and self._probe(self.pid):
                # It may have answered and ended since the poll.
                return Event.REPLIED if self._poller.poll(0) and os.read(done, 1) else Event.ENDED
            if remaining <= 0:
                return Event.LATE

    def has_ended(self, seconds: float) -> bool:
        """Wait up to `seconds` for the process to end."""
        if self._pidfd is not None:
            return system.has_ended(self._pidfd, seconds)
        until = time.monotonic() + seconds
        while not self._probe(self.pid):
            if time.monotonic() >= until:
                return False
            time.sleep(_PROBE_SECONDS)
        return True

    def _nap(self, seconds: float) -> float:
        return seconds if self._pidfd is not None else min(seconds, _PROBE_SECONDS)

    def stack(self) -> tuple[str, tuple[str, ...]]:
        """The stack of the stuck worker, and why there is none, if so."""
        return stacks.of_stuck(self.pid, self._links.crash)

    def crash_dump(self) -> str:
        """What faulthandler wrote when the worker died."""
        return stacks.read_dump(self._links.crash)

    def output(self) -> tuple[str, bool]:
        """The end of what the call in hand wrote, and whether it reached the limit."""
        written = os.lseek(self._links.output, 0, os.SEEK_CUR)
        return read_tail(self._links.output, written), written >= os.fstat(self._links.output).st_size

    def close(self) -> None:
        """Close everything; a worker that still runs ends by itself when it is idle."""
        self.request.close()
        self.reply.close()
        self.recorder.close()
        for fd in (self._links.output, self._links.crash, self._links.wake, self._links.done):
            os.close(fd)
        if self._pidfd is not None:
            os.close(self._pidfd)
