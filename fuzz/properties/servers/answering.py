"""Every request is answered, in time, with HTTP that carries finite numbers."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.lab.server_lab import Asked, HttpLab
from fuzz.properties.model import Cost, Violation
from fuzz.properties.servers.registration import server_property
from targets.http.case import Framing, HttpCase
from targets.http.dialects.numbers import non_finite_literal
from targets.http.reply import End
from targets.http.wire import bytes_of

_DROPPED = (End.CLOSED, End.RESET, End.TRUNCATED, End.GARBAGE, End.TLS, End.REFUSED)
CLOSING = (End.RESET, End.CLOSED)
_LARGE = 256 * 1024
"""A server may close the connection on a body of this size before it has read all of it (RFC 9112, section 9.3)."""


def on_the_wire(asked: Asked) -> bool:
    """Whether the HTTP message itself is unusual, so that closing the connection is an answer to it."""
    message = asked.exchange.message
    framed = message.framing in (Framing.BARE, Framing.UNENDED)
    broken = asked.exchange.defect is not None and asked.exchange.defect.wire
    return bool(message.raw) or framed or broken or asked.exchange.half_close or asked.exchange.pace is not None


def may_close(asked: Asked) -> bool:
    """Whether closing the connection is an answer to it: the message is unusual, or too large to be read to its end."""
    return on_the_wire(asked) or len(bytes_of(asked.exchange.message.body)) > _LARGE


@server_property(
    "H1",
    "Every request is answered",
    sources=("VALID-01", "VALID-03", "VALID-05", "VALID-13", "VALID-34", "VALID-41"),
    cost=Cost.OBSERVES,
)
def check_answered(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """A request gets a whole HTTP response; the connection is never dropped before or within it.

    A broken HTTP message may be answered by closing the connection, and so may a body of more than 256 KiB.
    """
    del case
    for asked in lab.asked:
        if asked.exchange.hang_up is not None or on_the_wire(asked):
            continue
        lab.tally.looked += 1
        closed = asked.reply.end in CLOSING and may_close(asked)
        if asked.reply.end in _DROPPED and not closed:
            detail = f" ({asked.reply.problem})" if asked.reply.problem else ""
            yield lab.broken("H1", asked.reply.end.value, f"the reply ended {asked.reply.end.value}{detail}", asked)


@server_property(
    "H2", "Every answer ends", sources=("VALID-12", "LIFE-01", "LIFE-02", "LIFE-05", "LIFE-07"), cost=Cost.OBSERVES
)
def check_ends(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """A response comes and ends within the deadline, and its body is bounded.

    It may take longer when that many tokens take long at the pace at which the canary is answered right afterwards.
    Broken HTTP messages are left out: a server may wait for bytes that never come.
    """
    del case
    for asked in lab.asked:
        if asked.exchange.hang_up is not None or on_the_wire(asked):
            continue
        lab.tally.looked += 1
        seconds = f"{asked.reply.seconds:.1f} s"
        if asked.reply.end is End.TIMED_OUT and not lab.takes_long(asked):
            slug = "no-answer" if asked.reply.status is None else "no-end"
            yield lab.violation("H2", slug, f"after {seconds} the response has not ended", asked)
        elif asked.reply.end is End.FLOODED:
            yield lab.violation("H2", "endless", f"the body is larger than {len(asked.reply.body)} bytes", asked)


@server_property("H10", "Numbers are finite", sources=("FINITE-01", "VALID-18", "VALID-41"), cost=Cost.OBSERVES)
def check_finite(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """No body holds NaN or an infinity, which JSON does not have."""
    del case
    for asked in lab.asked:
        if asked.reply.media_type not in ("application/json", lab.dialect.stream_type):
            continue
        lab.tally.looked += 1
        if literal := non_finite_literal(asked.reply.body):
            yield lab.violation("H10", "non-finite", f"the body holds the number {literal}", asked)
