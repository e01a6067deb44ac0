"""Memory that the parent and every worker see: a map of branch probes, which outlives a killed worker.

Zygote and starting workers have a private copy, so that what a spare executes while it starts is not taken for the
call in hand; a worker's first call puts the shared pages in its place, at the same address.
"""

from __future__ import annotations

import contextlib
import mmap
import os

from fuzz.contain import system
from fuzz.contain.errors import ContainmentError


class SharedMemory:
    """The parent's side: `size` bytes, zero at first; none at all for size 0."""

    def __init__(self, size: int) -> None:
        self.fd = system.memory_file("shared", size) if size else None
        self._map = mmap.mmap(self.fd, size) if self.fd is not None else None
        self.view = memoryview(self._map) if self._map is not None else memoryview(b"")

    def close(self) -> None:
        """Give back descriptor and mapping; the mapping stays while others hold views of the view."""
        if self.fd is None or self._map is None:
            return
        os.close(self.fd)
        self.fd = None
        with contextlib.suppress(BufferError):
            self.view.release()
            self._map.close()


_mapping: mmap.mmap | None = None
_fd: int | None = None
_view: memoryview | None = None


def shared_memory() -> memoryview:
    """The `shared` bytes of the supervisor that runs this process: valid in the zygote, in workers and inline.

    Raises `ContainmentError` in any other process, or if the supervisor shares none.
    """
    if _view is None:
        raise ContainmentError(
            "no shared memory here: call this from the entry or an import of a Supervisor(shared=<bytes>), "
            "not from another process"
        )
    return _view


def available() -> bool:
    """Whether `shared_memory` has something to give."""
    return _view is not None


def map_privately(fd: int | None) -> None:
    """In the zygote: map a copy-on-write image of the supervisor's memory."""
    global _mapping, _fd, _view
    if fd is None:
        return
    _fd = fd
    _mapping = mmap.mmap(fd, os.fstat(fd).st_size, flags=mmap.MAP_PRIVATE)
    _view = memoryview(_mapping)


def share() -> None:
    """In a worker, at its first call: see and be seen."""
    if _mapping is not None and _fd is not None:
        system.share_mapping(_mapping, _fd)


def lend(view: memoryview) -> None:
    """In-process: what `shared_memory` gives is the supervisor's own view."""
    global _view
    _view = view if len(view) else None
