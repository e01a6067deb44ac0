"""The steps of a certification on a server."""

from __future__ import annotations

import json
from typing import NoReturn

from fuzz.certify.subject import NotApplicable, Proof, StepFailed, Steps, Subject
from fuzz.lab.server_answers import busy, canary_body
from fuzz.lab.server_lab import HttpLab
from targets.http.case import Exchange, HangUp, HttpCase
from targets.http.client import perform
from targets.http.dialects.model import Answer, Endpoint, EndpointKind, Json
from targets.http.reply import Reply
from targets.http.server import Server
from targets.http.wire import json_message

CROWD = 4


def load(subject: Subject) -> Proof:
    """The server is there and answers a plain request."""
    server = _server(subject)
    reply = _ask(server, _body(server))
    if not reply.is_success:
        raise StepFailed(f"a plain request gets {_told(reply)}")
    return Proof(f"{server.client.address.url} answers in {reply.seconds:.2f} s")


def canary(subject: Subject) -> Proof:
    """The same greedy request gets the same text twice."""
    texts = [_text(subject) for _ in range(2)]
    if texts[0] != texts[1]:
        raise StepFailed(f"two answers to one greedy request differ: {texts[0]!r} and {texts[1]!r}")
    return Proof(f"text {texts[0]!r}", proof=repr(texts[0]))


def batch(subject: Subject) -> Proof:
    """Several requests at a time are all served."""
    server = _server(subject)
    exchange = Exchange(message=json_message(_endpoint(server).path, _body(server), server.dialect.headers))
    case = HttpCase(dialect=server.dialect.name, exchanges=(exchange,) * CROWD, concurrent=True)
    bad = [_told(reply) for reply in perform(server.client, case) if not reply.is_success]
    if bad:
        raise StepFailed(f"{len(bad)} of {CROWD} requests at a time get: {', '.join(bad)}")
    return Proof(f"{CROWD} requests at a time")


def stream(subject: Subject) -> Proof:
    """The pieces of a stream join to the text of the answer at once."""
    server, endpoint = _server(subject), _endpoint(_server(subject))
    body = _body(server) | {"stream": True}
    reply = _ask(server, body)
    if not reply.is_success:
        raise StepFailed(f"a request for a stream gets {_told(reply)}")
    answer = server.dialect.read_stream(endpoint, reply.body, body)
    whole = _text(subject)
    if answer.problems or _first_text(answer) != whole:
        problems = "; ".join(problem.message for problem in answer.problems)
        raise StepFailed(f"the stream says {_first_text(answer)!r}, the answer at once {whole!r}; {problems}")
    return Proof(f"{answer.events} events join to {whole!r}")


def abort(subject: Subject) -> Proof:
    """A client that goes away in the middle leaves a server that serves the next one alike."""
    server = _server(subject)
    message = json_message(_endpoint(server).path, _body(server) | {"stream": True}, server.dialect.headers)
    before = _text(subject)
    exchange = Exchange(message=message, hang_up=HangUp(after_event=1))
    perform(server.client, HttpCase(dialect=server.dialect.name, exchanges=(exchange,)))
    after = _text(subject)
    if before != after:
        raise StepFailed(f"a plain request answers {after!r} after a client went away, {before!r} before")
    return Proof("the next request is answered as before")


def rejection(subject: Subject) -> Proof:
    """A body outside the documented domain gets a client error, and the next request is served."""
    server = _server(subject)
    reply = _ask(server, {"model": server.api.limits.model, "prompt": 7, "messages": 7})
    if reply.status is None or not 400 <= reply.status < 500:
        raise StepFailed(f"a body whose prompt is a number gets {_told(reply)}, expected a client error")
    _text(subject)
    return Proof(f"status {reply.status}, the next request served")


def resources(subject: Subject) -> Proof:
    """When nothing is asked, nothing runs or waits."""
    found = HttpLab(_server(subject)).settled()
    if found is None:
        raise NotApplicable("it does not report its resources")
    if busy(found):
        raise StepFailed(f"at idle: {found}")
    return Proof(", ".join(f"{name} {value}" for name, value in found.items()))


def wedge(subject: Subject) -> NoReturn:
    """Hold a worker for ever; the caller's deadline must end it."""
    _server(subject)
    while True:
        pass


STEPS: Steps = {
    "load": load,
    "canary": canary,
    "batch": batch,
    "stream": stream,
    "abort": abort,
    "rejection": rejection,
    "resources": resources,
}
WEDGE = wedge


def _server(subject: Subject) -> Server:
    server: Server = subject.opened
    return server


def _endpoint(server: Server) -> Endpoint:
    for endpoint in server.dialect.endpoints:
        offered = not server.api.endpoints or endpoint.name in server.api.endpoints
        if offered and endpoint.can_stream and endpoint.kind in (EndpointKind.COMPLETE, EndpointKind.CHAT):
            return endpoint
    raise NotApplicable("it has no endpoint that generates text")


def _body(server: Server) -> dict[str, Json]:
    return canary_body(server.dialect, _endpoint(server), server.api.limits)


def _ask(server: Server, body: dict[str, Json]) -> Reply:
    return server.ask(json_message(_endpoint(server).path, body, server.dialect.headers))


def _text(subject: Subject) -> str:
    server = _server(subject)
    reply = _ask(server, _body(server))
    if not reply.is_success:
        raise StepFailed(f"a plain request gets {_told(reply)}")
    return _first_text(server.dialect.read_answer(_endpoint(server), json.loads(reply.body)))


def _first_text(answer: Answer) -> str:
    return answer.choices[0].text if answer.choices else ""


def _told(reply: Reply) -> str:
    return f"status {reply.status}" if reply.status is not None else str(reply.end)
