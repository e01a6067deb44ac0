"""What came back for one exchange: a value whatever the server did."""

from __future__ import annotations

import enum
from functools import cached_property

import msgspec


class End(enum.StrEnum):
    """How an exchange ended."""

    COMPLETE = "complete"
    """A whole response."""
    HUNG_UP = "hung-up"
    """The client went away, as the case says."""
    REFUSED = "refused"
    """No server listens there."""
    CLOSED = "closed"
    """The connection was closed in good order before any response."""
    RESET = "reset"
    """The connection was reset before or within the response."""
    TRUNCATED = "truncated"
    """The connection was closed within the response."""
    TIMED_OUT = "timed-out"
    """No (whole) response within the deadline."""
    FLOODED = "flooded"
    """The response grew beyond the limit; the rest was not read."""
    GARBAGE = "garbage"
    """What came back is not HTTP; `problem` says where."""
    TLS = "tls"
    """The server speaks TLS on this port."""


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, dict=True):
    """One response. `body` is as sent, without transfer coding."""

    end: End
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    seconds: float = 0.0
    """From the connect to the end."""
    problem: str = ""

    @cached_property
    def by_name(self) -> dict[str, str]:
        """Header values by lower-case name; the last one wins."""
        return {name.lower(): value for name, value in self.headers}

    @property
    def media_type(self) -> str:
        """`application/json`, lower case and without parameters."""
        return self.by_name.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_success(self) -> bool:
        """A whole response with a status of 200 to 299."""
        return self.end is End.COMPLETE and self.status is not None and 200 <= self.status < 300

    @property
    def encoding(self) -> str:
        """Content coding that the server used although none was asked for; empty if none."""
        coding = self.by_name.get("content-encoding", "").strip().lower()
        return "" if coding == "identity" else coding
