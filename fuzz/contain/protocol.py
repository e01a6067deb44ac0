"""What the parent and its zygote tell each other: one set-up message, then fixed-size orders and reports."""

from __future__ import annotations

import socket
import struct

import msgspec

from fuzz.contain.outcome import Fate


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """All that a zygote and its workers need to know."""

    entry: str
    argument: bytes
    imports: tuple[str, ...]
    memory: int | None
    """Bytes a worker may allocate beyond its size after the imports."""
    descriptors: int
    output_limit: int
    capacity: int
    shared_fd: int | None
    tolerated: tuple[Fate, ...]
    core: int | None
    """Core to run calls on; None for any."""
    use_pidfd: bool
    cores: tuple[int, ...]
    """Where zygote and starting workers may run: a pinned parent would otherwise hand down its own core."""


class Order:
    """First field of a message from the parent: what the zygote is to do."""

    FORK = 1
    REAP = 2
    """End what is left of the process group of a worker, collect it, answer with its wait status."""
    PROBE = 3
    """Answer whether a worker has ended; for platforms without a pidfd."""


class Kind:
    """What a worker's reply is."""

    REPLY = 0
    """The bytes that the entry returned; nothing else to tell."""
    OUTCOME = 1
    """An encoded `Outcome`."""
    READY = 2
    """The callable is made."""
    NOT_READY = 3
    """Making the callable failed; an encoded `Outcome`."""


_MOST_FDS = 8
"""A report of a fork carries the parent's `Links` and a pidfd."""

MESSAGE = struct.Struct("<iii")
"""Order, process id, and a wait status or flag (reports only)."""


class PeerEnded(Exception):  # noqa: N818 - it is an event, not an error
    """The other end of the control socket is gone."""


def send(channel: socket.socket, order: int, pid: int = 0, status: int = 0, fds: tuple[int, ...] = ()) -> None:
    """Send one message, with descriptors. Raises `PeerEnded`."""
    try:
        socket.send_fds(channel, [MESSAGE.pack(order, pid, status)], fds)
    except OSError as error:
        raise PeerEnded from error


def receive(channel: socket.socket) -> tuple[int, int, int, list[int]]:
    """Receive one message: order, process id, status, descriptors. Raises `PeerEnded`."""
    data = b""
    fds: list[int] = []
    while len(data) < MESSAGE.size:
        try:
            part, received, _, _ = socket.recv_fds(channel, MESSAGE.size - len(data), _MOST_FDS)
        except OSError as error:
            raise PeerEnded from error
        fds += received
        if not part:
            raise PeerEnded
        data += part
    order, pid, status = MESSAGE.unpack(data)
    return order, pid, status, fds


def send_block(channel: socket.socket, data: bytes) -> None:
    """Send a message of any length. Raises `PeerEnded`."""
    try:
        channel.sendall(struct.pack("<Q", len(data)) + data)
    except OSError as error:
        raise PeerEnded from error


def receive_block(channel: socket.socket) -> bytes:
    """Receive a message of any length. Raises `PeerEnded`."""
    (length,) = struct.unpack("<Q", _exactly(channel, 8))
    return _exactly(channel, length)


def _exactly(channel: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = channel.recv(min(count - len(data), 1 << 20))
        if not part:
            raise PeerEnded
        data += part
    return bytes(data)
