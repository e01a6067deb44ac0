"""Messages as people replay them: a curl command, or bytes through a socket."""

from __future__ import annotations

import base64
import shlex

import msgspec

from targets.http.address import Address, redact, redact_header
from targets.http.case import Exchange, Framing, Message
from targets.http.wire import bytes_of, serialise

_LONGEST = 4000


def replay_command(exchange: Exchange, address: Address) -> str:
    """A shell command that sends the same request: curl where curl can, else Python's socket. Secrets are hidden."""
    message = exchange.message
    body = bytes_of(message.body)
    special = message.raw or message.framing in (Framing.BARE, Framing.UNENDED) or not message.host
    if special or exchange.half_close or b"\x00" in body or len(body) > _LONGEST or not _is_text(body):
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
    packed = base64.b64encode(serialise(_without_secrets(exchange.message), address.authority)).decode()
    ending = "s.shutdown(1);" if exchange.half_close else ""
    script = (
        "import base64,socket;"
        f"s=socket.create_connection(({address.host!r},{address.port}),10);"
        f"s.sendall(base64.b64decode({packed!r}));{ending}s.settimeout(10);print(s.recv(65536))"
    )
    return shlex.join(["python3", "-c", script])


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
