"""What is malformed gets a typed client error in the dialect's envelope."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from fuzz.lab.server_causes import check_of, only_place, unread
from fuzz.lab.server_lab import Asked, HttpLab
from fuzz.properties.model import Cost, Violation
from fuzz.properties.servers.answering import CLOSING, may_close, on_the_wire
from fuzz.properties.servers.registration import server_property
from targets.http.case import Exchange, HttpCase, Intent
from targets.http.dialects.strict_json import StrictJsonError, parse
from targets.http.proof import prove
from targets.http.reply import End, Reply
from targets.http.wire import bytes_of, with_body

CLIENT_ERRORS = frozenset({400, 401, 403, 404, 405, 406, 408, 411, 413, 414, 415, 417, 422, 429, 431})
LONGEST_ERROR = 64 * 1024
_ECHO = 60
"""Characters of the request that an error does not repeat by accident."""
_UNTYPED = ("path-unknown", "method-wrong")
"""Defects that never reach the API, so its envelope is not demanded."""
_TRACEBACK = re.compile(
    r"Traceback \(most recent call last\)|File \"[^\"]+\", line \d+|goroutine \d+ \[|\bat [\w.$]+\([\w.]+:\d+\)"
)


def refused(lab: HttpLab) -> Iterator[Asked]:
    """Malformed exchanges of the case that got a whole response."""
    for asked in lab.asked:
        whole = asked.reply.end is End.COMPLETE and asked.exchange.hang_up is None
        if asked.exchange.intent is Intent.MALFORMED and whole:
            yield asked


@server_property(
    "H4",
    "Invalid gets a typed client error",
    sources=("VALID-10", "VALID-20", "VALID-29", "VALID-38", "VALID-39", "VALID-41"),
    cost=Cost.OBSERVES,
    malformed=True,
)
def check_refusal(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """A request outside the documented domain gets a 4xx in the dialect's envelope: never 5xx, never 2xx.

    The error is shorter than 64 KiB and repeats no long part of the request. A broken HTTP message, an unknown path or
    a wrong method may be refused outside the envelope; the first two may be redirected.
    """
    del case
    for asked in refused(lab):
        defect = asked.exchange.defect
        assert defect is not None and asked.reply.status is not None
        lab.tally.looked += 1
        status, name = asked.reply.status, defect.name
        if status in CLIENT_ERRORS or status in defect.statuses:
            if not on_the_wire(asked) and name not in _UNTYPED:
                yield from _envelope(lab, asked, status)
        elif 500 <= status <= 599:
            if not (defect.wire and status in (501, 505)):
                yield lab.failed("H4", f"{name} gets {status}", asked)
        elif 200 <= status <= 299:
            check, message = check_of(defect), f"{name} is accepted with {status}"
            cause = unread(defect.place) if check != name else ""
            yield lab.violation("H4", f"accepted/{check}", message, asked, cause=cause, variant=name)
        elif name != "path-unknown" and not defect.wire:
            yield lab.violation("H4", f"status/{name}", f"{name} gets {status}, which is no client error", asked)


@server_property(
    "H8",
    "Errors are well-formed and say nothing private",
    sources=("VALID-13", "VALID-24", "VALID-41"),
    cost=Cost.OBSERVES,
)
def check_errors(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """The body of any error is UTF-8 and, where it says so, JSON; it shows no stack trace of the server."""
    del case
    for asked in lab.asked:
        if asked.reply.end is not End.COMPLETE or (asked.reply.status or 0) < 400:
            continue
        lab.tally.looked += 1
        if asked.reply.media_type == "application/json" and asked.exchange.message.method != "HEAD":
            try:
                parse(asked.reply.body)
            except StrictJsonError as error:
                yield lab.violation("H8", error.kind, f"the error body is not JSON: {error}", asked)
        if found := _TRACEBACK.search(asked.reply.body.decode(errors="replace")):
            yield lab.violation("H8", "traceback", f"the error shows the server's inside: {found[0]!r}", asked)


@server_property(
    "H43", "A stream is refused like the answer at once", sources=("LIFE-07", "VALID-38", "VALID-41"), malformed=True
)
def check_stream_refusal(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """A malformed request gets an error of the same class whether or not it asks for a stream.

    Where closing the connection is an answer, too, one setting may get that and the other an error: it is a race.
    """
    del case
    for asked in refused(lab):
        flipped = _flipped(lab, asked)
        if flipped is None:
            continue
        reply = lab.send(flipped)
        if reply.end in CLOSING and may_close(asked):
            continue
        lab.tally.looked += 1
        lab.tally.compared += 1
        first, second = _class(asked.reply.status), _class(reply.status)
        if first != second:
            message = f"{asked.reply.status}, and {reply.status or reply.end.value} with the other setting of stream"
            slug, cause = _parting(lab, asked, reply)
            yield lab.violation("H43", slug, message, asked, cause=cause, variant=_name_of(asked))


def _parting(lab: HttpLab, asked: Asked, flipped: Reply) -> tuple[str, str]:
    """Slug and cause of two classes that differ: what the server raised if it did, else the check that is missing.

    A server fails in many places, and each is a bug of its own.
    """
    if flipped.end is not End.COMPLETE:
        return flipped.end.value, ""
    defect = asked.exchange.defect
    for reply in (asked.reply, flipped):
        if (reply.status or 0) >= 500:
            label, cause = lab.blamed(reply, defect)
            return f"class-differs/{label}" if label else "class-differs", cause
    if place := only_place(lab.log()):
        return f"class-differs/{place}", f"500 {place}"
    return f"class-differs/{check_of(defect)}" if defect else "class-differs", ""


def _name_of(asked: Asked) -> str:
    return asked.exchange.defect.name if asked.exchange.defect else ""


def _envelope(lab: HttpLab, asked: Asked, status: int) -> Iterator[Violation]:
    if asked.exchange.message.method == "HEAD":
        return
    if len(asked.reply.body) > LONGEST_ERROR:
        yield lab.violation("H4", "too-long", f"the error has {len(asked.reply.body)} bytes", asked)
    try:
        body = parse(asked.reply.body)
    except StrictJsonError as error:
        yield lab.violation("H4", "envelope", f"the error is not JSON: {error}", asked)
        return
    for problem in lab.dialect.read_error(body, status).problems:
        yield lab.violation("H4", problem.slug, f"the error is not in the envelope: {problem.message}", asked)
    if echo := _echoed(asked, json.dumps(body, ensure_ascii=False), body):
        yield lab.violation("H4", "echo", f"the error repeats the request: {echo!r}", asked)


def _echoed(asked: Asked, text: str, body: Any) -> str:
    """A long part of the request that the error repeats; a single value may be repeated once."""
    sent = bytes_of(asked.exchange.message.body).decode(errors="replace")
    if len(sent) >= _ECHO and (sent in _texts(body) or sent[: _ECHO * 4] in _texts(body)):
        return sent[:_ECHO]
    for value in (asked.body or {}).values():
        if isinstance(value, str) and len(value) >= _ECHO and text.count(value[:_ECHO]) > 1:
            return value[:_ECHO]
    return ""


def _texts(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(_texts(item) for item in value.values())
    return "\n".join(_texts(item) for item in value) if isinstance(value, list) else str(value)


def _flipped(lab: HttpLab, asked: Asked) -> Exchange | None:
    """The same request with the other setting of `stream`, if it still proves the same defect."""
    endpoint, body, defect = asked.endpoint, asked.body, asked.exchange.defect
    if endpoint is None or body is None or not endpoint.can_stream or defect is None or asked.exchange.message.raw:
        return None
    if "stream_options" in body or not isinstance(body.get("stream", False), bool):
        return None
    changed = body | {"stream": not lab.dialect.streams(endpoint, body)}
    message = with_body(asked.exchange.message, changed)
    flipped = msgspec.structs.replace(asked.exchange, message=message)
    proven = [found.name for found in prove(flipped, lab.dialect, lab.limits)]
    return flipped if defect.name in proven else None


def _class(status: int | None) -> int:
    return (status or 0) // 100
