"""The lab of a server: the replies to the case in hand, further questions about it, and the server's health."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from fuzz.lab.canary import first_canary
from fuzz.lab.features import bucket, magnitude
from fuzz.lab.lab import Tally
from fuzz.lab.server_answers import CANARY_TOKENS, busy, read_reply, same_choices
from fuzz.lab.server_causes import error_label, message_of, only_place, raised_in
from fuzz.lab.server_rounding import is_tie, rounding_of
from fuzz.properties.model import Violation
from targets.http.address import redact
from targets.http.case import Exchange, HttpCase, HttpDefect, Intent
from targets.http.client import perform, send
from targets.http.dialects.fields import is_repeatable, lookup, prompt_bytes
from targets.http.dialects.model import Answer, Endpoint, EndpointKind, Json, Problem
from targets.http.rendering import replay_command
from targets.http.reply import End, Reply
from targets.http.resources import holdings
from targets.http.server import Server
from targets.http.wire import bytes_of, json_message

REMEMBERED = 20
"""Cases that are replayed one by one to prove which of them killed the server."""
HEALTH = "H3"
ANSWERS = 8
"""Times the deadline of one answer after which nothing more is asked about a case."""
USUAL_TOKENS = 1024
"""What a server may write when a request does not say how much."""
LONGEST_WAIT = 40.0
"""Seconds that a server may go on with what nobody waits for, at most."""
_SLACK = 3
"""Times that the pace may vary between two requests."""
RECHECKS = 8
"""Times that a repeatable answer is asked for again before a difference from it counts."""
MEASUREMENTS = 4
"""Times that it is measured how a server rounds before a difference counts."""
SETTLING = 2.0
"""Seconds within which a server must have noticed that a client has gone."""


class Asked(NamedTuple):
    """An exchange, its reply, the parsed request body (None if it is no object), and its endpoint if it has one."""

    exchange: Exchange
    reply: Reply
    body: dict[str, Json] | None
    endpoint: Endpoint | None


class HttpLab:
    """Runs HTTP cases against one server. Not thread-safe; one case at a time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.dialect = server.dialect
        self.family = server.family
        self.limits = server.api.limits
        self.tally = Tally()
        self.recent: deque[HttpCase] = deque(maxlen=REMEMBERED)
        self._answers: dict[bytes, tuple[Reply, Answer | None]] = {}
        self._steady: dict[bytes, bool] = {}
        self._readings: dict[int, tuple[Reply, Answer | None]] = {}
        self._asked: tuple[Asked, ...] = ()
        self._log_size = 0
        self._until = 0.0
        self._waited = -1
        """Requests that had been sent when a trace was last waited for in vain."""
        self._roundings: list[float] = []
        self._canary = first_canary(server)

    def begin(self, case: HttpCase) -> None:
        """Take up a case: forget the last one and perform this one."""
        self.tally = Tally()
        self._answers, self._steady, self._readings = {}, {}, {}
        self._log_size = self._written()
        self.recent.append(case)
        self._until = time.monotonic() + ANSWERS * self.server.client.deadline
        replies = perform(self.server.client, case)
        self._asked = tuple(self._as_asked(*pair) for pair in zip(case.exchanges, replies, strict=True))

    @property
    def asked(self) -> tuple[Asked, ...]:
        """The exchanges of the case with their replies."""
        return self._asked

    @property
    def client_left(self) -> bool:
        """Whether a client of the case went away before it had its answer."""
        return any(asked.exchange.hang_up is not None for asked in self._asked)

    def valid(self, *, generating: bool = False) -> Iterator[Asked]:
        """Valid exchanges of the case that were not hung up, perhaps only those that generate text."""
        for asked in self._asked:
            kinds = (EndpointKind.COMPLETE, EndpointKind.CHAT)
            fits = not generating or (asked.endpoint is not None and asked.endpoint.kind in kinds)
            if asked.exchange.intent is Intent.VALID and asked.exchange.hang_up is None and fits:
                yield asked

    def answer(self, asked: Asked) -> Answer | None:
        """The successful reply, read once a case; None if it is not one, or has no endpoint."""
        key = id(asked.reply)
        if key not in self._readings:
            # The reply is kept so that no other one gets its id.
            self._readings[key] = (asked.reply, self._read(asked.endpoint, asked.body, asked.reply))
        return self._readings[key][1]

    def put(self, endpoint: Endpoint, body: dict[str, Json]) -> Answer | None:
        """The answer to a body on an endpoint; None if it was refused. The same question is asked once a case."""
        key = _key(endpoint, body)
        if key not in self._answers and not self.has_time:
            return None
        if key not in self._answers:
            reply = self.server.ask(json_message(endpoint.path, body, self.dialect.headers))
            self._answers[key] = (reply, self._read(endpoint, body, reply))
        return self._answers[key][1]

    def derived(self, endpoint: Endpoint, body: dict[str, Json]) -> Asked:
        """A question that was put about the case, as an exchange: what a violation shows and replays."""
        exchange = Exchange(message=json_message(endpoint.path, body, self.dialect.headers), endpoint=endpoint.name)
        self.put(endpoint, body)
        found = self._answers.get(_key(endpoint, body))
        return Asked(exchange, found[0] if found else Reply(end=End.TIMED_OUT), body, endpoint)

    def put_again(self, endpoint: Endpoint, body: dict[str, Json]) -> Answer | None:
        """The answer to the same question, asked anew."""
        reply = self.server.ask(json_message(endpoint.path, body, self.dialect.headers))
        return self._read(endpoint, body, reply)

    def send(self, exchange: Exchange) -> Reply:
        """The reply to an exchange of its own."""
        return send(self.server.client, exchange)

    def steady(self, asked: Asked) -> Answer | None:
        """The answer at once of a repeatable request whose repetition agrees; None if there is nothing to rely on."""
        if asked.body is None or asked.endpoint is None or not is_repeatable(self.dialect, asked.body):
            return None
        body = self.plain(asked.endpoint, asked.body)
        first = self.put(asked.endpoint, body)
        if first is None or first.problems or not first.choices:
            return None
        return first if same_choices(first, self.put_again(asked.endpoint, body)) else None

    def still_steady(self, asked: Asked) -> bool:
        """Whether what `steady` found is so a few times more: draws without a seed may agree twice by chance.

        To be asked before a difference from that answer is told; if it is not so, H17 has something to tell.
        """
        if asked.body is None or asked.endpoint is None:
            return False
        body = self.plain(asked.endpoint, asked.body)
        first, key = self.put(asked.endpoint, body), _key(asked.endpoint, body)
        if key not in self._steady:
            again = (self.put_again(asked.endpoint, body) for _ in range(RECHECKS))
            self._steady[key] = all(same_choices(first, one) for one in again)
        return self._steady[key]

    def roundings(self) -> Iterator[float]:
        """How far a log-probability may move in company: as measured so far, then as measured again and again.

        Requests at once may not have met in a batch, so that one measurement says little of a busy server.
        """
        if self._roundings:
            yield max(self._roundings)
        while len(self._roundings) < MEASUREMENTS:
            self._roundings.append(rounding_of(self.server))
            yield max(self._roundings)

    def plain(self, endpoint: Endpoint, body: dict[str, Json]) -> dict[str, Json]:
        """The body that asks for the answer at once."""
        found = {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
        return found | ({"stream": False} if endpoint.streams_by_default else {})

    def failed(self, code: str, message: str, asked: Asked) -> Violation:
        """A violation for an error that should not be; its cause is what the server shows of it."""
        what = "server-error" if (asked.reply.status or 0) >= 500 else "refused"
        label, cause = self.blamed(asked.reply, asked.exchange.defect, self._log_of(asked))
        variant = asked.exchange.defect.name if asked.exchange.defect else ""
        return self.violation(code, f"{what}/{label}" if label else what, message, asked, cause=cause, variant=variant)

    def malformed(self, code: str, what: str, problem: Problem, asked: Asked) -> Violation:
        """A violation for a body that is not of its shape."""
        message = f"{what}: {problem.message}"
        return self.broken(code, problem.slug, message, asked, cause=f"answer {problem.slug}")

    def broken(self, code: str, slug: str, message: str, asked: Asked, *, cause: str = "") -> Violation:
        """A violation for a reply that is no whole one; if the server raised something, that is its cause."""
        if place := only_place(self._log_of(asked)):
            slug, cause = f"{slug}/{place}", f"500 {place}"
        return self.violation(code, slug, message, asked, cause=cause)

    def failed_in_stream(self, code: str, error: str, asked: Asked) -> Violation:
        """A violation for an error that ends a stream: its cause is that of a 500, which it would be at once."""
        label = error_label(error, asked.exchange.defect, self.log())
        slug = f"error-in-stream/{label}" if label else "error-in-stream"
        message = f"a valid request ends in the error {error!r}"
        return self.violation(code, slug, message, asked, cause=f"500 {label}" if label else "")

    def blamed(self, reply: Reply, defect: HttpDefect | None, log: str | None = None) -> tuple[str, str]:
        """What the server shows of an error: a label, and the cause that failures with this status share."""
        label = error_label(message_of(reply), defect, self.log(status=reply.status) if log is None else log)
        return label, f"{reply.status} {label}" if label else ""

    def log(self, start: int | None = None, *, status: int | None = None) -> str:
        """What the server wrote to its output since the case began, or after so many bytes, up to a stack trace.

        That may be written after the answer, unless its status says that the client is at fault; it is waited for once.
        Empty if the server is not ours.
        """
        output = self.server.output
        if output is None:
            return ""
        begin = self._log_size if start is None else start
        sent = self.server.client.traffic.requests
        settled = (status is not None and 400 <= status < 500) or sent == self._waited
        until = time.monotonic() + (0.0 if settled else output.lag)
        text = output.output_after(begin)
        while not raised_in(text) and time.monotonic() < until:
            time.sleep(0.01)
            text = output.output_after(begin)
        if not settled and not raised_in(text):
            self._waited = sent
        return text

    def _written(self) -> int:
        """How much the server has written to its output so far."""
        return self.server.output.output_size() if self.server.output else 0

    def _log_of(self, asked: Asked) -> str:
        """The log; where several requests failed in several places, what this one alone leaves there."""
        output, log = self.server.output, self.log(status=asked.reply.status)
        if output is None or len(self._asked) == 1 or not raised_in(log) or only_place(log):
            return log
        start = output.output_size()
        reply = self.send(msgspec.structs.replace(asked.exchange, reuse=False, hang_up=None))
        return self.log(start) if reply.status == asked.reply.status else log

    def violation(
        self,
        code: str,
        slug: str,
        message: str,
        asked: Asked | None = None,
        *,
        cause: str = "",
        variant: str = "",
        derived: bool = False,
        **evidence: Any,
    ) -> Violation:
        """A violation with the reply and the command that sends the request again."""
        shown: dict[str, Any] = dict(evidence)
        if asked is not None:
            shown |= {
                "status": asked.reply.status,
                "end": asked.reply.end.value,
                "reply": redact(asked.reply.body[:300].decode(errors="replace")),
                "replay": replay_command(asked.exchange, self.server.client.address),
            }
        return Violation(
            code=code, slug=slug, message=message, evidence=shown, cause=cause, variant=variant, derived=derived
        )

    def health(self) -> Violation | None:
        """What is wrong with the server after the case; asks the canary and, if that fails, once more."""
        usual = self._canary.seconds
        # What nobody waits for may go on for a while, and a server may do one thing after the other.
        until = time.monotonic() + min(LONGEST_WAIT, sum(self._worst(asked, usual) for asked in self._asked))
        problem = self._canary_problem()
        while problem is not None and problem.slug == "canary-late" and time.monotonic() < until:
            problem = self._canary_problem()
        if problem is None:
            return None
        time.sleep(0.2)
        second = self._canary_problem()
        # Slowness may be the machine's; an answer that is wrong or missing is not forgiven by a later one.
        return problem if problem.slug != "slow" else second

    def takes_long(self, asked: Asked) -> bool:
        """Whether so many tokens may well take longer than the deadline, at the pace of the canary right now."""
        paced = self.server.ask(self._canary.message)
        pace = paced.seconds if paced.is_success else self._canary.seconds
        return self._worst(asked, pace) > self.server.client.deadline

    def _worst(self, asked: Asked, pace: float) -> float:
        """Seconds that an answer may take when the canary takes `pace`.

        Reading a token takes no longer than writing one. Of a prompt too long no more than the context is read.
        """
        found = asked.body or {}
        usual = self.limits.context_length or USUAL_TOKENS
        written = _count(lookup(found, self.dialect.max_tokens_field), usual) * _count(found.get("n"), 1)
        read = min(prompt_bytes(found), self.limits.context_length or sys.maxsize)
        return _SLACK * (written + read) * pace / CANARY_TOKENS

    @property
    def has_time(self) -> bool:
        """Whether more may be asked about this case; a slow server is asked less."""
        return time.monotonic() < self._until

    def settled(self) -> dict[str, Any] | None:
        """What the server holds once it is idle, or at last within the patience; None if it does not show it.

        A server that only shows its connections may finish what nobody waits for, so it gets as long as an answer may
        take on top.
        """
        accounts = bool(self.family.accounting)
        until = time.monotonic() + SETTLING + (0 if accounts else self.server.client.deadline)
        found = holdings(self.server)
        while busy(found) and time.monotonic() < until:
            time.sleep(0.01)
            found = holdings(self.server)
        if not accounts and busy(found) and any(self.takes_long(asked) for asked in self._asked):
            return None
        return found or None

    def features(self) -> tuple[int, ...]:
        """Behaviour features of the replies: status, ending, shape, defect."""
        seen = set()
        for exchange, reply, _, endpoint in self._asked:
            defect = exchange.defect.name if exchange.defect else exchange.intent.value
            name = endpoint.name if endpoint else ""
            seen.add(bucket("reply", name, reply.status, reply.end, reply.media_type))
            seen.add(bucket("defect", name, defect, reply.status))
            seen.add(bucket("size", name, magnitude(len(reply.body)), reply.is_success))
        return tuple(sorted(seen))

    def _as_asked(self, exchange: Exchange, reply: Reply) -> Asked:
        value: Any = None
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(bytes_of(exchange.message.body))
        return Asked(
            exchange, reply, value if isinstance(value, dict) else None, self.dialect.endpoint(exchange.endpoint)
        )

    def _read(self, endpoint: Endpoint | None, body: dict[str, Json] | None, reply: Reply) -> Answer | None:
        return read_reply(self.dialect, endpoint, body, reply)

    def _canary_problem(self) -> Violation | None:
        start = self._written()
        reply = self.server.ask(self._canary.message)
        process = self.server.process
        if process is not None and not process.is_alive:
            return Violation(code=HEALTH, slug="server-died", message=f"the server died: {process.obituary()}")
        after = "after a client left" if self.client_left else "after the case"
        found = self._canary.difference(self.server, reply, after)
        if found is None:
            return None
        slug, message = found
        lead = self._canary.lead
        if slug == "canary-differs" and lead is not None and any(is_tie(lead, bound) for bound in self.roundings()):
            return None
        cause = self.blamed(reply, None, self.log(start))[1] if (reply.status or 0) >= 500 else ""
        return Violation(code=HEALTH, slug=slug, message=message, cause=cause)


def _count(value: Json, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default


def _key(endpoint: Endpoint, body: dict[str, Json]) -> bytes:
    return endpoint.name.encode() + json.dumps(body).encode()
