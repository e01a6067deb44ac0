"""Reads one response after another from a socket, into replies."""

from __future__ import annotations

import socket
import time

import h11

from targets.http.case import HangUp
from targets.http.reply import End, Reply

_HEAD_LIMIT = 256 * 1024
_RECEIVE_SIZE = 2**16
_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")


class Reader:
    """The receiving half of one connection. h11 judges the framing; it is told of a request that it never sends."""

    def __init__(self) -> None:
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT)
        self._status: int | None = None
        self._headers: tuple[tuple[str, str], ...] = ()
        self._body = bytearray()
        self._first = b""
        self._received = 0

    @property
    def can_continue(self) -> bool:
        """Whether the connection is open for another exchange."""
        return self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE

    def read(self, sock: socket.socket, method: str, until: float, limit: int, hang_up: HangUp | None) -> Reply:
        """The response, or what there was of it when the deadline, the limit or the hang-up came."""
        self._expect(method)
        try:
            return self._reply(*self._read(sock, until, limit, hang_up))
        except TimeoutError:
            return self._reply(End.TIMED_OUT, "")
        except OSError as error:
            return self._reply(End.RESET, str(error))
        except h11.RemoteProtocolError as error:
            return self._reply(*self._judge(str(error)))

    def _expect(self, method: str) -> None:
        if self.can_continue:
            self._protocol.start_next_cycle()
        self._status, self._headers, self._body, self._received, self._first = None, (), bytearray(), 0, b""
        told = "HEAD" if method == "HEAD" else "POST"
        self._protocol.send(h11.Request(method=told, target="/", headers=[("host", "x"), ("content-length", "0")]))
        self._protocol.send(h11.EndOfMessage())

    def _read(self, sock: socket.socket, until: float, limit: int, hang_up: HangUp | None) -> tuple[End, str]:
        while True:
            if hang_up and self._has_reached(hang_up):
                return End.HUNG_UP, ""
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                self._receive(sock, until)
            elif isinstance(event, h11.Response):
                self._status = event.status_code
                self._headers = tuple(
                    (name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers
                )
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > limit:
                    return End.FLOODED, f"the body is longer than {limit} bytes"
            elif isinstance(event, h11.EndOfMessage):
                return End.COMPLETE, ""
            elif not isinstance(event, h11.InformationalResponse):
                return End.CLOSED, ""

    def _receive(self, sock: socket.socket, until: float) -> None:
        remaining = until - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        sock.settimeout(remaining)
        data = sock.recv(_RECEIVE_SIZE)
        self._first = self._first or data[:64]
        self._received += len(data)
        self._protocol.receive_data(data)

    def _has_reached(self, hang_up: HangUp) -> bool:
        if hang_up.after_byte is not None:
            return self._received >= hang_up.after_byte
        if hang_up.after_event is None or self._status is None:
            return False
        return _events_in(self._body, self._headers) >= hang_up.after_event

    def _judge(self, complaint: str) -> tuple[End, str]:
        if not self._received:
            return End.CLOSED, ""
        if self._first[:2] in _TLS_RECORDS:
            return End.TLS, "the server speaks TLS"
        if self._status is not None and "peer closed connection" in complaint:
            return End.TRUNCATED, complaint
        return End.GARBAGE, f"{complaint}; it begins with {self._first[:40]!r}"

    def _reply(self, end: End, problem: str) -> Reply:
        return Reply(end=end, status=self._status, headers=self._headers, body=bytes(self._body), problem=problem)


def _events_in(body: bytearray, headers: tuple[tuple[str, str], ...]) -> int:
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    return body.count(b"\n\n") if kind.startswith("text/event-stream") else body.count(b"\n")
