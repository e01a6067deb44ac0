"""Sends exchanges over raw sockets; bounded in time and memory whatever the server does."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import msgspec

from targets.http.address import Address
from targets.http.case import Exchange, Framing, HttpCase, Message, Pace
from targets.http.reading import Reader
from targets.http.reply import End, Reply
from targets.http.wire import serialise

CONNECT_SECONDS = 3.0
_SEND_SIZE = 2**18
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""`SO_LINGER` with zero seconds: close sends a reset."""


@dataclass
class Traffic:
    """What went through a client."""

    requests: int = 0


@dataclass(frozen=True)
class Client:
    """Where exchanges go and how much they may take."""

    address: Address
    headers: tuple[tuple[str, str], ...] = ()
    """Added to every request that is not raw; for credentials, which are no part of a case."""
    deadline: float = 10.0
    """Seconds an exchange may take."""
    body_limit: int = 16 * 2**20
    """Bytes of a response that are read."""
    traffic: Traffic = field(default_factory=Traffic, compare=False)


def perform(client: Client, case: HttpCase) -> tuple[Reply, ...]:
    """The replies to the exchanges of a case, in their order."""
    if case.concurrent:
        return _at_once(client, case.exchanges)
    replies = []
    connection: _Connection | None = None
    before: Exchange | None = None
    for exchange in case.exchanges:
        usable = (
            connection is not None and connection.reader.can_continue and before is not None and is_delimited(before)
        )
        kept = connection if exchange.reuse and usable else None
        if connection and kept is None:
            connection.close()
        reply, connection = _exchange(client, exchange, kept)
        if kept and reply.status is None and reply.end in (End.CLOSED, End.RESET):
            # A server may close an idle connection at any moment, also when the next request is on its way.
            reply, connection = _exchange(client, exchange, None)
        replies.append(reply)
        before = exchange
    if connection:
        connection.close()
    return tuple(replies)


def is_delimited(exchange: Exchange) -> bool:
    """Whether both sides agree where the request ends; else its last bytes would be read as the next request."""
    message = exchange.message
    return not message.raw and not exchange.half_close and message.framing in (Framing.LENGTH, Framing.CHUNKED)


def send(client: Client, exchange: Exchange) -> Reply:
    """The reply to one exchange on a connection of its own."""
    reply, connection = _exchange(client, exchange, None)
    if connection:
        connection.close()
    return reply


def ask(client: Client, message: Message) -> Reply:
    """The reply to a message that is sent in the ordinary way."""
    return send(client, Exchange(message=message))


def _at_once(client: Client, exchanges: tuple[Exchange, ...]) -> tuple[Reply, ...]:
    barrier = threading.Barrier(len(exchanges))

    def run(exchange: Exchange) -> Reply:
        barrier.wait()
        return send(client, exchange)

    with ThreadPoolExecutor(len(exchanges)) as pool:
        return tuple(pool.map(run, exchanges))


class _Connection:
    """An open socket and what was read from it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader = Reader()

    def close(self) -> None:
        self.sock.close()

    def vanish(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.sock.close()


def _exchange(client: Client, exchange: Exchange, kept: _Connection | None) -> tuple[Reply, _Connection | None]:
    started = time.monotonic()
    until = started + client.deadline
    client.traffic.requests += 1
    connection = kept
    if connection is None:
        try:
            address = (client.address.host, client.address.port)
            connection = _Connection(socket.create_connection(address, timeout=min(CONNECT_SECONDS, client.deadline)))
        except OSError as error:
            return Reply(end=End.REFUSED, problem=str(error), seconds=time.monotonic() - started), None
    reply = _converse(client, exchange, connection, until)
    if exchange.hang_up and exchange.hang_up.is_before_answer:
        connection.close()  # a reset could overtake the request, and the server would never see it
    elif reply.end is not End.COMPLETE:
        connection.vanish()
    return msgspec.structs.replace(reply, seconds=time.monotonic() - started), connection


def _converse(client: Client, exchange: Exchange, connection: _Connection, until: float) -> Reply:
    hang_up = exchange.hang_up
    data = serialise(_with_headers(client, exchange.message), client.address.authority)
    if hang_up and hang_up.after_sent is not None:
        _send(connection.sock, data[: hang_up.after_sent], exchange.pace, until)
        return Reply(end=End.HUNG_UP)
    complaint = _send(connection.sock, data, exchange.pace, until)
    if exchange.half_close and not complaint:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_WR)
    reply = connection.reader.read(connection.sock, exchange.message.method, until, client.body_limit, hang_up)
    return msgspec.structs.replace(reply, problem=reply.problem or complaint)


def _with_headers(client: Client, message: Message) -> Message:
    if message.raw:
        return message
    path = client.address.prefix + message.path
    return msgspec.structs.replace(message, path=path, headers=(*client.headers, *message.headers))


def _send(sock: socket.socket, data: bytes, pace: Pace | None, until: float) -> str:
    """Send all of it; the complaint if that did not work. A server may well answer before it has read everything."""
    size = pace.piece if pace else _SEND_SIZE
    patience = 2.0 if pace else 0.0
    try:
        for start in range(0, len(data), size):
            sock.settimeout(max(0.001, until - time.monotonic()))
            sock.sendall(data[start : start + size])
            if pace and patience > 0 and start + size < len(data):
                time.sleep(pace.pause)
                patience -= pace.pause
            elif pace and patience <= 0:
                sock.sendall(data[start + size :])
                break
    except OSError as error:
        return f"while sending: {error}"
    return ""
