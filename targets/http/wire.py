"""From a message to the bytes on the wire."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from targets.http.case import Framing, Message, Piece

_MOST_CHUNKS = 4096
JSON_TYPE = ("content-type", "application/json")


def bytes_of(pieces: tuple[Piece, ...]) -> bytes:
    """What the pieces stand for."""
    return b"".join((piece.text.encode() + bytes.fromhex(piece.hex)) * piece.repeat for piece in pieces)


def pieces_of(data: bytes) -> tuple[Piece, ...]:
    """Pieces for given bytes: text where they are UTF-8, hexadecimal where they are not."""
    pieces = []
    while data:
        try:
            pieces.append(Piece(text=data.decode()))
            break
        except UnicodeDecodeError as error:
            bad = max(error.end, error.start + 1)
            pieces.append(Piece(text=data[: error.start].decode(), hex=data[error.start : bad].hex()))
            data = data[bad:]
    return tuple(pieces)


def json_body(value: Any) -> tuple[Piece, ...]:
    """A JSON body of one piece. NaN and infinities become the literals that JSON does not have."""
    text = json.dumps(value, ensure_ascii=False)
    # JSON text that holds a lone surrogate can only be sent with it escaped.
    return (Piece(text=text if _is_unicode(text) else json.dumps(value)),)


def body_value(message: Message) -> Any:
    """The parsed JSON body. Raises `ValueError` when it is none."""
    return json.loads(bytes_of(message.body))


def with_body(message: Message, value: Any) -> Message:
    """The message with another JSON body."""
    return msgspec.structs.replace(message, body=json_body(value))


def json_message(path: str, value: Any, headers: tuple[tuple[str, str], ...] = ()) -> Message:
    """A `POST` of a JSON body."""
    return Message(path=path, headers=(JSON_TYPE, *headers), body=json_body(value))


def serialise(message: Message, host: str) -> bytes:
    """The bytes that are sent for a message to `host` (name and port)."""
    if message.raw:
        return bytes_of(message.raw)
    body = bytes_of(message.body)
    return _head(message, host, len(body)) + _framed(message, body)


def _head(message: Message, host: str, length: int) -> bytes:
    lines = [f"{message.method} {message.path} {message.version}"]
    if message.host:
        lines.append(f"host: {host}")
    lines += [f"{name}: {value}" for name, value in message.headers]
    lines += _delimiting(message, length)
    # Names and values may hold anything: a header that is not ASCII is a case too.
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", errors="replace")


def _delimiting(message: Message, length: int) -> list[str]:
    if message.framing in (Framing.CHUNKED, Framing.UNENDED):
        return ["transfer-encoding: chunked"]
    needed = message.framing is Framing.LENGTH and (length or message.method not in ("GET", "HEAD"))
    return [f"content-length: {length}"] if needed else []


def _framed(message: Message, body: bytes) -> bytes:
    if message.framing in (Framing.LENGTH, Framing.BARE):
        return body
    size = max(1, message.chunk, len(body) // _MOST_CHUNKS)
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return framed if message.framing is Framing.UNENDED else framed + b"0\r\n\r\n"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
