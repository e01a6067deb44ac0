"""Messages as people replay them: a curl command, or bytes through a socket."""

from __future__ import annotations

import base64
import shlex

import msgspec

from targets.http.address import Address, redact, redact_header
from targets.http.case import Exchange, Framing, HangUp, Message
from targets.http.wire import bytes_of, serialise

_LONGEST = 4000


def replay_command(exchange: Exchange, address: Address) -> str:
    """A shell command that sends the same request: curl where curl can, else Python's socket. Secrets are hidden.

    It goes away where the exchange does.
    """
    message = exchange.message
    body = bytes_of(message.body)
    special = message.raw or message.framing in (Framing.BARE, Framing.UNENDED) or not message.host
    leaves = exchange.hang_up or exchange.half_close
    if special or leaves or b"\x00" in body or len(body) > _LONGEST or not _is_text(body):
        return _through_socket(exchange, address)
    parts = ["curl", "-sS", "-i", "-N", *_literally(message.path), "-X", message.method]
    parts.append(f"{address.url}{redact(message.path)}")
    for name, value in message.headers:
        parts += ["-H", f"{name}: {redact_header(name, value)}"]
    if message.framing is Framing.CHUNKED:
        parts += ["-H", "transfer-encoding: chunked"]
    if body:
        parts += ["--data-binary", redact(body.decode())]
    return shlex.join(parts)


def _literally(path: str) -> list[str]:
    """Options that keep curl from rewriting a path: from resolving dots, and from expanding brackets and braces."""
    return ["--path-as-is"] * ("/." in path) + ["--globoff"] * any(mark in path for mark in "[]{}")


def _through_socket(exchange: Exchange, address: Address) -> str:
    if _size(exchange) > _LONGEST:
        return "inferfuzz replay (the request is too long for a command line)"
    hang_up = exchange.hang_up
    data = serialise(_without_secrets(exchange.message), address.authority)
    packed = base64.b64encode(data[: hang_up.after_sent] if hang_up else data).decode()
    steps = (
        "import base64,itertools,socket",
        f"s=socket.create_connection(({address.host!r},{address.port}),10)",
        f"s.sendall(base64.b64decode({packed!r}))",
        *(["s.shutdown(1)"] if exchange.half_close else []),
        *_reading(hang_up),
    )
    return shlex.join(["python3", "-c", ";".join(steps)])


def _reading(hang_up: HangUp | None) -> tuple[str, ...]:
    """What is read of the answer before the client leaves."""
    if hang_up is None:
        return ("print(s.recv(65536))",)
    if hang_up.is_before_answer:
        return ("s.close()",)
    if hang_up.after_byte is not None:
        return (f"print(s.recv({hang_up.after_byte},socket.MSG_WAITALL))",)
    # An event ends with an empty line or is a line of JSON; the head ends with an empty line of its own.
    ends = r"""l==b'\n' or l[:1]==b'{'""" if hang_up.after_event else r"""l==b'\r\n'"""
    return (
        "f=s.makefile('rb',0)",
        f"print(*itertools.islice((l for l in f if {ends}),{hang_up.after_event or 1}))",
    )


def _without_secrets(message: Message) -> Message:
    headers = tuple((name, redact_header(name, value)) for name, value in message.headers)
    raw = tuple(msgspec.structs.replace(piece, text=redact(piece.text)) for piece in message.raw)
    return msgspec.structs.replace(message, path=redact(message.path), headers=headers, raw=raw)


def _size(exchange: Exchange) -> int:
    return sum(piece.size for piece in (*exchange.message.body, *exchange.message.raw))


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
