"""One message in shared memory, with a header; grows when a message does not fit.

One side writes, then wakes the other by a byte on a pipe; they never write at the same time.
"""

from __future__ import annotations

import mmap
import os
import struct

_HEADER = struct.Struct("<QqQ")
"""Length of the message in bytes, its kind, and a stamp (monotonic nanoseconds, 0 when unset)."""
_STAMP = struct.Struct("<qQ")
_STAMP_AT = 8
HEADER_BYTES = 64


class MailboxError(Exception):
    """The header does not describe what the file holds: something wrote over it."""


class Mailbox:
    """A message in the memory file `fd`, which is owned (closed by `close`)."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map = mmap.mmap(fd, os.fstat(fd).st_size)

    def write(self, message: bytes, *, kind: int = 0, stamp: int = 0) -> None:
        """Replace the message. While it is being copied the header says that the box is empty."""
        end = HEADER_BYTES + len(message)
        if end > len(self._map):
            self._grow(end)
        box = self._map
        _HEADER.pack_into(box, 0, 0, kind, 0)
        box[HEADER_BYTES:end] = message
        _HEADER.pack_into(box, 0, len(message), kind, stamp)

    def read(self) -> bytes:
        """The message. Raises `MailboxError` if its length exceeds the file."""
        length = _HEADER.unpack_from(self._map, 0)[0]
        end = HEADER_BYTES + length
        if end > len(self._map):
            self._follow(end)
        return self._map[HEADER_BYTES:end]

    @property
    def kind(self) -> int:
        """What the writer said the message is."""
        return int(_HEADER.unpack_from(self._map, 0)[1])

    @property
    def stamp(self) -> int:
        """Monotonic nanoseconds set by `mark` or `write`; 0 when unset."""
        return int(_HEADER.unpack_from(self._map, 0)[2])

    def mark(self, stamp: int, *, kind: int = 0) -> None:
        """Set kind and stamp and leave the message."""
        _STAMP.pack_into(self._map, _STAMP_AT, kind, stamp)

    def close(self) -> None:
        """Give back mapping and descriptor; the other side keeps its own."""
        self._map.close()
        os.close(self.fd)

    def _grow(self, size: int) -> None:
        pages = -(-size // mmap.PAGESIZE)
        os.ftruncate(self.fd, max(pages * mmap.PAGESIZE, 2 * len(self._map)))
        self._remap()

    def _follow(self, size: int) -> None:
        if os.fstat(self.fd).st_size < size:
            raise MailboxError(f"message of {size - HEADER_BYTES} bytes in a file of {os.fstat(self.fd).st_size}")
        self._remap()

    def _remap(self) -> None:
        self._map.close()
        self._map = mmap.mmap(self.fd, os.fstat(self.fd).st_size)
