"""The canary: a short greedy request by which a server is seen to be as it was when it was fresh."""

from __future__ import annotations

from typing import NamedTuple

from fuzz.lab.server_answers import canary_body, read_reply
from fuzz.lab.server_rounding import leads_of, least_of
from targets.errors import UsageError
from targets.http.address import redact
from targets.http.case import Message
from targets.http.dialects.fields import asking_for_scores
from targets.http.dialects.model import ApiLimits, Endpoint
from targets.http.locate import model_name
from targets.http.reply import End, Reply
from targets.http.server import Server
from targets.http.wire import json_message

_ASKED = 3
"""Times that a fresh server is asked; the first answer may be slow."""
_SLOWER = 3.0
"""Times the usual seconds after which an answer is slow, if they are more than `_SLOWER_BY` longer."""
_SLOWER_BY = 2.0


class Canary(NamedTuple):
    """The request, and how a fresh server answers it."""

    message: Message
    text: str
    """Empty if it is not repeatable."""
    seconds: float
    lead: float | None = None
    """By how much its tokens led on a fresh server, at least; None if that is not known."""

    def difference(self, server: Server, reply: Reply, after: str) -> tuple[str, str] | None:
        """What is wrong with an answer that was given `after the case`, say; as a slug and in words."""
        if not reply.is_success:
            got = reply.status if reply.status is not None else f"no answer ({reply.end.value})"
            return (
                "canary-late" if reply.end is End.TIMED_OUT else "canary-fails",
                f"a plain request gets {got} {after}",
            )
        text = _text_of(server, self.message, reply)
        if self.text and text != self.text:
            return (
                "canary-differs",
                f"a plain greedy request answers {text!r} {after} and answered {self.text!r} before",
            )
        if reply.seconds > max(_SLOWER * self.seconds, self.seconds + _SLOWER_BY):
            return "slow", f"a plain request takes {reply.seconds:.1f} s {after}, {self.seconds:.2f} s before"
        return None


def first_canary(server: Server) -> Canary:
    """The canary of a fresh server. Raises `UsageError` if that does not answer it."""
    message = _message(server)
    replies = [server.ask(message) for _ in range(_ASKED)]
    if not replies[-1].is_success:
        raise UsageError(_refusal(server, replies[-1]))
    texts = {_text_of(server, message, reply) for reply in replies}
    text = texts.pop() if len(texts) == 1 else ""
    return Canary(message, text, max(reply.seconds for reply in replies[1:]), _lead(server, message))


def _lead(server: Server, message: Message) -> float | None:
    endpoint = _endpoint_of(server, message)
    if endpoint is None:
        return None
    body = canary_body(server.dialect, endpoint, server.api.limits)
    scoring = asking_for_scores(server.dialect, server.family, endpoint, body)
    if not scoring:
        return None
    reply = server.ask(json_message(endpoint.path, scoring, server.dialect.headers))
    answer = read_reply(server.dialect, endpoint, scoring, reply)
    return least_of(leads_of(answer.choices[0])) if answer and answer.choices else None


def _message(server: Server) -> Message:
    dialect = server.dialect
    for endpoint in dialect.endpoints:
        allowed = not server.api.endpoints or endpoint.name in server.api.endpoints
        if endpoint.can_stream and allowed:
            return json_message(endpoint.path, canary_body(dialect, endpoint, server.api.limits), dialect.headers)
    return Message(method="GET", path=dialect.endpoints[0].path)


def _text_of(server: Server, message: Message, reply: Reply) -> str:
    endpoint = _endpoint_of(server, message)
    answer = read_reply(server.dialect, endpoint, {}, reply)
    return answer.choices[0].text if answer and answer.choices else ""


def _endpoint_of(server: Server, message: Message) -> Endpoint | None:
    return next((one for one in server.dialect.endpoints if one.path == message.path), None)


def _refusal(server: Server, reply: Reply) -> str:
    said = reply.problem or redact(reply.body[:200].decode(errors="replace")).strip()
    how = [] if reply.end is End.COMPLETE else [reply.end.value]
    shown = " ".join([*([str(reply.status)] if reply.status else []), *how, repr(said)])
    model, listed = server.api.limits.model, _listed_model(server)
    advice = "Check the dialect, or name the model: --model, or the environment variable INFERFUZZ_MODEL."
    if listed not in ("", model):
        advice = f"It lists the model {listed!r}: try --model {listed}, or INFERFUZZ_MODEL={listed} in the environment."
    return (
        f"The server at {server.client.address.url} does not answer a plain request in the "
        f"{server.dialect.name} dialect for model {model!r}: {shown}. {advice}"
    )


def _listed_model(server: Server) -> str:
    """The first model that it lists; empty if it lists none."""
    try:
        listed = model_name(server.client, server.dialect.name)
    except UsageError:
        return ""
    return "" if listed == ApiLimits().model else listed
