"""Messages over a pipe: one byte that says what it is, four bytes of length, then the bytes."""

from __future__ import annotations

import enum
import os
import struct

import msgspec

_HEAD = struct.Struct("<BI")


class Kind(enum.IntEnum):
    """What a message is."""

    SET_UP = 1
    """To the child: what it needs to begin."""
    CASE = 2
    """From the child: the JSON of a case to run."""
    FEATURES = 3
    """To the child: what the case reached, as little-endian 32-bit numbers."""
    NOTE = 4
    """From the child: something for people."""


class SetUp(msgspec.Struct, frozen=True):
    """What the child needs to begin."""

    space: bytes
    """The pickled `CaseSpace`; both processes run the same code."""
    seed: int
    folder: str
    """Where the seeds are, and where libFuzzer keeps its corpus."""


class PipeClosedError(Exception):
    """The process at the other end is gone."""


def send(fd: int, kind: Kind, payload: bytes) -> None:
    """Write one message. Raises `PipeClosedError`."""
    view = memoryview(_HEAD.pack(kind, len(payload)) + payload)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except BrokenPipeError as error:
        raise PipeClosedError from error


def receive(fd: int) -> tuple[Kind, bytes]:
    """Read one message. Raises `PipeClosedError`."""
    kind, length = _HEAD.unpack(_exactly(fd, _HEAD.size))
    return Kind(kind), _exactly(fd, length)


def _exactly(fd: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = os.read(fd, count - len(data))
        if not part:
            raise PipeClosedError
        data += part
    return data
