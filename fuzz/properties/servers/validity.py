"""What is valid succeeds with a well-formed body; what is undecided never breaks the server."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.lab.server_lab import HttpLab
from fuzz.properties.model import Cost, Violation
from fuzz.properties.servers.answering import on_the_wire
from fuzz.properties.servers.registration import server_property
from targets.http.case import Framing, HttpCase, Intent
from targets.http.reply import End

_LENGTH_REQUIRED = 411


@server_property("H5", "Valid succeeds", sources=("VALID-19", "VALID-25", "VALID-26", "STREAM-13"), cost=Cost.OBSERVES)
def check_valid(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """A request inside the documented domain gets 2xx, the right media type and a body of the documented shape.

    A body in chunks may be refused with 411 (RFC 9112, section 6.3). The grammar of streams is H41's.
    """
    del case
    for asked in lab.valid():
        if asked.reply.end is not End.COMPLETE or asked.reply.status is None:
            continue
        lab.tally.looked += 1
        status = asked.reply.status
        if status == _LENGTH_REQUIRED and asked.exchange.message.framing is Framing.CHUNKED:
            continue
        if not 200 <= status <= 299:
            yield lab.failed("H5", f"a valid request gets {status}", asked)
            continue
        streams = (
            asked.endpoint is not None and asked.body is not None and lab.dialect.streams(asked.endpoint, asked.body)
        )
        expected = lab.dialect.stream_type if streams else "application/json"
        loads = lab.dialect.name == "ollama" and asked.reply.media_type == "application/json"
        if asked.reply.media_type != expected and not loads:
            yield lab.violation(
                "H5", "media-type", f"content-type is {asked.reply.media_type!r}, not {expected}", asked
            )
        if asked.reply.encoding:
            yield lab.violation("H5", "encoding", f"the body is in {asked.reply.encoding!r}, unasked", asked)
        answer = lab.answer(asked)
        if answer is not None and not answer.events:
            for problem in answer.problems:
                yield lab.malformed("H5", "the body is not of its shape", problem, asked)
        if answer is not None and answer.error:
            yield lab.failed_in_stream("H5", answer.error, asked)


@server_property(
    "H6",
    "Boundaries are accepted or refused",
    sources=("VALID-02", "VALID-05", "VALID-06", "VALID-07", "VALID-10", "VALID-28", "VALID-38"),
    cost=Cost.OBSERVES,
    malformed=True,
)
def check_boundary(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """A request on which servers differ (a boundary value, a duplicate key, an unknown field) gets 2xx or 4xx.

    If it is accepted, the body is well-formed.
    """
    del case
    for asked in lab.asked:
        whole = asked.reply.end is End.COMPLETE and asked.reply.status is not None and asked.exchange.hang_up is None
        if asked.exchange.intent is not Intent.EITHER or not whole:
            continue
        lab.tally.looked += 1
        status = asked.reply.status or 0
        if status >= 500 and not (on_the_wire(asked) and status in (501, 505)):
            yield lab.failed("H6", f"a boundary case gets {status}", asked)
        answer = lab.answer(asked)
        if answer is not None and asked.exchange.message.method == "POST" and not on_the_wire(asked):
            for problem in answer.problems:
                yield lab.malformed("H6", "it is accepted with garbage", problem, asked)
