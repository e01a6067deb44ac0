"""HTTP cases: one or several exchanges as plain data down to the bytes on the wire."""

from __future__ import annotations

import enum

import msgspec

MAX_BYTES = 64 * 2**20
"""Largest message a case may describe; repeats beyond it are refused on decode."""


class Intent(enum.StrEnum):
    """What the documented domain says about a request, and so what its answer may be."""

    VALID = "valid"
    """Inside the domain: 2xx and a well-formed body."""
    MALFORMED = "malformed"
    """Outside the domain: a typed client error in the dialect's envelope."""
    EITHER = "either"
    """Undecided between servers (duplicate keys, `1.0` for an integer): accepted or refused, never anything else."""


class Piece(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Bytes in a readable encoding: the text as UTF-8, then the hexadecimal bytes, all of it `repeat` times."""

    text: str = ""
    hex: str = ""
    repeat: int = 1

    def __post_init__(self) -> None:
        if self.repeat < 0 or self.size > MAX_BYTES:
            raise ValueError(f"a piece of {self.size} bytes is outside 0..{MAX_BYTES}; lower its repeat")
        bytes.fromhex(self.hex)

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return (len(self.text.encode()) + len(self.hex) // 2) * self.repeat


class Framing(enum.StrEnum):
    """How the body is delimited on the wire."""

    LENGTH = "length"
    """A correct `content-length`."""
    CHUNKED = "chunked"
    """Chunks of `Message.chunk` bytes (more for a body of megabytes) and the last chunk."""
    UNENDED = "unended"
    """Chunks without the last one, then the sending side is closed."""
    BARE = "bare"
    """Neither length nor chunks; what the headers say is all there is."""


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A request as it is sent. `raw`, when given, replaces everything else byte for byte."""

    method: str = "POST"
    path: str = "/"
    version: str = "HTTP/1.1"
    headers: tuple[tuple[str, str], ...] = ()
    """Sent as they are, after `host`; `content-length` or `transfer-encoding` are added as `framing` says."""
    body: tuple[Piece, ...] = ()
    framing: Framing = Framing.LENGTH
    chunk: int = 1024
    host: bool = True
    """Whether to send a `host` header."""
    raw: tuple[Piece, ...] = ()


class HangUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where the client goes away: by a reset once it has read something, else by closing. One of the places is set."""

    after_sent: int | None = None
    """Bytes of the request that were sent."""
    after_event: int | None = None
    """Stream events that were read; 0 is after the status line and headers."""
    after_byte: int | None = None
    """Bytes of the response that were read; 0 is right after the request was sent."""

    def __post_init__(self) -> None:
        places = (self.after_sent, self.after_event, self.after_byte)
        if sum(place is not None for place in places) != 1 or any(place is not None and place < 0 for place in places):
            raise ValueError("a hang-up has exactly one of after_sent, after_event and after_byte, none negative")

    @property
    def is_before_answer(self) -> bool:
        """Whether nothing of the response is read."""
        return self.after_sent is not None or self.after_byte == 0


class Pace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A slow sender: the request goes out in pieces with pauses, at most two seconds of pauses in all."""

    piece: int
    """Bytes in a piece."""
    pause: float
    """Seconds between two pieces."""

    def __post_init__(self) -> None:
        if self.piece < 1 or not 0 <= self.pause <= 1:
            raise ValueError("a pace has pieces of at least 1 byte and pauses of 0 to 1 seconds")


class HttpDefect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The one thing that is wrong with a malformed request."""

    name: str
    """What is wrong, such as `temperature-out-of-range` or `json-truncated`."""
    place: str = ""
    """Dotted path in the body, a header name, or a part of the wire format."""
    wire: bool = False
    """The HTTP message itself is broken: the server may close the connection instead of answering."""
    statuses: tuple[int, ...] = ()
    """Statuses that answer it properly besides those of any client error."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A request and how the client behaves around it."""

    message: Message
    endpoint: str = ""
    """Name of the dialect's endpoint it is for; empty when it is for none."""
    intent: Intent = Intent.VALID
    defect: HttpDefect | None = None
    hang_up: HangUp | None = None
    pace: Pace | None = None
    half_close: bool = False
    """The client closes its sending side after the request, so that the server need not wait for missing bytes."""
    reuse: bool = False
    """Sent over the connection of the exchange before it, if that is still open."""

    def __post_init__(self) -> None:
        if (self.intent is Intent.MALFORMED) != (self.defect is not None):
            raise ValueError("an exchange has a defect if, and only if, its intent is malformed")


class HttpCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="http"):
    """A case for a server: exchanges one after the other, or all at once."""

    dialect: str
    exchanges: tuple[Exchange, ...]
    concurrent: bool = False

    def __post_init__(self) -> None:
        if not self.exchanges:
            raise ValueError("an HTTP case needs at least one exchange")
        if self.concurrent and any(exchange.reuse for exchange in self.exchanges):
            raise ValueError("concurrent exchanges cannot share a connection")
