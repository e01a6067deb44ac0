"""The descriptors that join one worker to the parent; the zygote opens them just before it forks."""

from __future__ import annotations

import os
from dataclasses import astuple, dataclass

from fuzz.contain import system
from fuzz.contain.mailbox import HEADER_BYTES


@dataclass(frozen=True)
class Links:
    """One side's descriptors. The memory files are the same files on both sides."""

    request: int
    """Mailbox: the payload of the call in hand."""
    reply: int
    """Mailbox: what the worker answered."""
    recorder: int
    """Mailbox: the case in hand of a loop inside the worker."""
    output: int
    """The worker's standard output and standard error; its size is sealed."""
    crash: int
    """faulthandler's dumps."""
    wake: int
    """Pipe: the worker reads one byte a call, the parent writes it."""
    done: int
    """Pipe: the worker writes one byte when the reply stands, the parent reads it."""

    def close(self) -> None:
        """Close them all."""
        for fd in astuple(self):
            os.close(fd)


FIELDS = len(Links.__dataclass_fields__)


@dataclass(frozen=True)
class LinkPair:
    """Both sides, before the fork."""

    worker: Links
    parent: Links

    def close_parent_side(self) -> None:
        """In the worker: keep the own side only."""
        os.close(self.parent.wake)
        os.close(self.parent.done)

    def close(self) -> None:
        """In the zygote, once both sides have theirs."""
        self.parent.close()
        os.close(self.worker.wake)
        os.close(self.worker.done)


def open_links(capacity: int, output_limit: int) -> LinkPair:
    """Memory files for messages of `capacity` bytes (they grow) and output of `output_limit` bytes (it does not)."""
    request, reply, recorder = (
        system.memory_file(name, HEADER_BYTES + capacity) for name in ("request", "reply", "recorder")
    )
    output = system.memory_file("output", output_limit)
    system.seal_size(output)
    crash = system.memory_file("crash", 0)
    wake_read, wake_write = os.pipe()
    done_read, done_write = os.pipe()
    return LinkPair(
        worker=Links(request, reply, recorder, output, crash, wake_read, done_write),
        parent=Links(request, reply, recorder, output, crash, wake_write, done_read),
    )
