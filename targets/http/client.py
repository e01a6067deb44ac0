"""Sends exchanges over raw sockets; bounded in time and memory whatever the server does."""

from __future__ import annotations

import contextlib
import socket
import struct
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
APART_SECONDS = 0.002
"""Before the last byte of each of several requests at once: a server whose loop wakes up for two may swap them."""
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
    return _finish_and_close(client, _begin(client, exchange, None))


def ask(client: Client, message: Message) -> Reply:
    """The reply to a message that is sent in the ordinary way."""
    return send(client, Exchange(message=message))


def _at_once(client: Client, exchanges: tuple[Exchange, ...]) -> tuple[Reply, ...]:
    """The replies to requests that arrive in their order, one right behind the other.

    They connect in this order, too, and all of a request but its last byte goes ahead, so that size decides nothing.
    """
    begun = tuple(_begin(client, exchange, None, ahead=True) for exchange in exchanges)
    for one in begun:
        time.sleep(APART_SECONDS)
        one.release()
    with ThreadPoolExecutor(len(exchanges)) as pool:
        return tuple(pool.map(lambda one: _finish_and_close(client, one), begun))


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


@dataclass
class _Underway:
    """A request of which something may have been sent."""

    exchange: Exchange
    started: float
    until: float
    """As `time.monotonic()`."""
    connection: _Connection | None = None
    rest: bytes = b""
    """What is still to be sent."""
    complaint: str = ""

    def release(self) -> None:
        """Send the rest, if that takes no longer than the network does."""
        if not self.exchange.pace:
            self.send()

    def send(self) -> None:
        """Send the rest."""
        if self.connection is not None and self.rest and not self.complaint:
            self.complaint = _send(self.connection.sock, self.rest, self.exchange.pace, self.until)
        self.rest = b""


def _exchange(client: Client, exchange: Exchange, kept: _Connection | None) -> tuple[Reply, _Connection | None]:
    return _finish(client, _begin(client, exchange, kept))


def _begin(client: Client, exchange: Exchange, kept: _Connection | None, *, ahead: bool = False) -> _Underway:
    """A request on an open connection; with `ahead` all of it but the last byte is sent, unless it is paced."""
    started = time.monotonic()
    client.traffic.requests += 1
    begun = _Underway(exchange, started, started + client.deadline, kept)
    if kept is None:
        try:
            address = (client.address.host, client.address.port)
            sock = socket.create_connection(address, timeout=min(CONNECT_SECONDS, client.deadline))
        except OSError as error:
            begun.complaint = str(error)
            return begun
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        begun.connection = _Connection(sock)
    hang_up = exchange.hang_up
    data = serialise(_with_headers(client, exchange.message), client.address.authority)
    begun.rest = data[: hang_up.after_sent] if hang_up else data
    if ahead and not exchange.pace:
        last = begun.rest[-1:]
        begun.rest = begun.rest[:-1]
        begun.send()
        begun.rest = last
    return begun


def _finish(client: Client, begun: _Underway) -> tuple[Reply, _Connection | None]:
    connection, hang_up = begun.connection, begun.exchange.hang_up
    if connection is None:
        return Reply(end=End.REFUSED, problem=begun.complaint, seconds=time.monotonic() - begun.started), None
    begun.send()
    reply = Reply(end=End.HUNG_UP) if hang_up and hang_up.after_sent is not None else _answer(client, begun, connection)
    if hang_up and hang_up.is_before_answer:
        connection.close()  # a reset could overtake the request, and the server would never see it
    elif reply.end is not End.COMPLETE:
        connection.vanish()
    return msgspec.structs.replace(reply, seconds=time.monotonic() - begun.started), connection


def _finish_and_close(client: Client, begun: _Underway) -> Reply:
    reply, connection = _finish(client, begun)
    if connection:
        connection.close()
    return reply


def _answer(client: Client, begun: _Underway, connection: _Connection) -> Reply:
    exchange = begun.exchange
    if exchange.half_close and not begun.complaint:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_WR)
    method = exchange.message.method
    reply = connection.reader.read(connection.sock, method, begun.until, client.body_limit, exchange.hang_up)
    return msgspec.structs.replace(reply, problem=reply.problem or begun.complaint)


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
