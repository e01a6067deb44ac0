"""Proves from the serialised bytes that a request lies outside the documented domain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import h11

from targets.http.case import Exchange, Framing, HttpDefect
from targets.http.dialects.model import ApiLimits, Dialect, Endpoint, EndpointKind, Json
from targets.http.dialects.schema import errors
from targets.http.dialects.strict_json import StrictJsonError, parse
from targets.http.schema_errors import named
from targets.http.wire import serialise

HOST = "127.0.0.1"
_CLIP = 400
_NOT_PLACED = (400, 404, 405, 501)
"""Statuses for a method or path that no endpoint has."""


class _Received(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class _WireError(Exception):
    def __init__(self, message: str, request: h11.Request | None) -> None:
        # A server may answer a GET before it reads a body that it does not want, however broken that is.
        self.bodiless = request is not None and request.method in (b"GET", b"HEAD", b"OPTIONS")
        super().__init__(message[:120])


def prove(exchange: Exchange, dialect: Dialect, limits: ApiLimits) -> tuple[HttpDefect, ...]:
    """Every defect that the serialised request has; empty if it is valid or cannot be told."""
    try:
        received = _receive(exchange)
    except _WireError as error:
        if error.bodiless:
            return ()
        return (HttpDefect(name="http-broken", place=str(error), wire=True),)
    endpoint = next((one for one in dialect.endpoints if one.path == received.path), None)
    if endpoint is None:
        return (HttpDefect(name="path-unknown", place=received.path[:80], statuses=_NOT_PLACED),)
    if received.method != endpoint.method:
        harmless = received.method in ("HEAD", "OPTIONS", "GET")
        name = "method-wrong"
        return () if harmless and endpoint.method == "GET" else (HttpDefect(name=name, statuses=_NOT_PLACED),)
    if endpoint.method == "GET":
        return ()
    missing = [name for name in dialect.required_headers if name not in received.headers]
    found = [HttpDefect(name=f"{name}-missing", place=name) for name in missing]
    if _is_opaque(received):
        return tuple(found)
    return (*found, *_body_defects(received.body, dialect, endpoint, limits))


def _receive(exchange: Exchange) -> _Received:
    """What an HTTP server gets, by h11's strict reading. Raises `_WireError`."""
    data = serialise(exchange.message, HOST)
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=2**26)
    connection.receive_data(data)
    if exchange.half_close or exchange.message.framing is Framing.UNENDED:
        connection.receive_data(b"")
    request: h11.Request | None = None
    body = bytearray()
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                raise _WireError("the message is not complete", request)
    except h11.RemoteProtocolError as error:
        raise _WireError(str(error), request) from None
    assert request is not None
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers}
    path = request.target.decode("latin-1").partition("?")[0]
    return _Received(request.method.decode("latin-1"), path, headers, bytes(body))


def _is_opaque(received: _Received) -> bool:
    """Whether a header says that the body is something other than JSON text; servers differ in believing it."""
    coding = received.headers.get("content-encoding", "identity")
    kind = received.headers.get("content-type", "application/json").partition(";")
    return coding != "identity" or kind[0].strip().lower() != "application/json" or "charset" in kind[2].lower()


def _body_defects(body: bytes, dialect: Dialect, endpoint: Endpoint, limits: ApiLimits) -> Iterator[HttpDefect]:
    try:
        value = parse(body)
    except StrictJsonError as error:
        # A byte order mark may be ignored by a reader (RFC 8259, section 8.1).
        if not (error.kind == "syntax" and body.startswith(b"\xef\xbb\xbf")):
            yield HttpDefect(name=f"json-{error.kind}", place="body")
        return
    if not isinstance(value, dict):
        yield HttpDefect(name="body-not-an-object", place="body")
        return
    yield from _distinct(named(error) for error in errors(endpoint.request(limits), _clipped(value)))
    if isinstance(value.get("model"), str) and value["model"] and value["model"] != limits.model:
        yield HttpDefect(name="model-unknown", place="model", statuses=(404,))
    yield from _size_defects(value, dialect, endpoint, limits)


def _clipped(value: Json) -> Json:
    """The value with the ends of very long lists and objects left out: the rest proves enough, fast."""
    if isinstance(value, dict):
        return {key: _clipped(item) for key, item in list(value.items())[:_CLIP]}
    return [_clipped(item) for item in value[:_CLIP]] if isinstance(value, list) else value


def _distinct(defects: Iterator[HttpDefect]) -> Iterator[HttpDefect]:
    seen: set[str] = set()
    for defect in defects:
        if defect.name not in seen:
            seen.add(defect.name)
            yield defect


def _size_defects(value: Json, dialect: Dialect, endpoint: Endpoint, limits: ApiLimits) -> Iterator[HttpDefect]:
    """Lengths that surely exceed the context. Ollama documents that it truncates, so its long prompts are undecided."""
    if limits.context_length is None or dialect.name == "ollama":
        return
    asked = value
    for name in dialect.max_tokens_field:
        asked = asked.get(name) if isinstance(asked, dict) else None
    if isinstance(asked, int) and not isinstance(asked, bool) and asked >= limits.context_length:
        yield HttpDefect(name="max_tokens-beyond-context", place="max_tokens")
    field = {EndpointKind.COMPLETE: "prompt", EndpointKind.CHAT: "messages", EndpointKind.EMBED: "input"}[endpoint.kind]
    if _least_tokens(value.get(field), limits, is_chat=endpoint.kind is EndpointKind.CHAT) > limits.context_length:
        yield HttpDefect(name="prompt-too-long", place=field, statuses=(413,))


def _least_tokens(prompt: Any, limits: ApiLimits, *, is_chat: bool) -> int:
    """A lower bound for the tokens of a prompt; 0 where nothing is known."""
    if isinstance(prompt, str):
        return len(prompt.encode(errors="replace")) // limits.bytes_per_token if limits.bytes_per_token else 0
    if not isinstance(prompt, list) or not prompt:
        return 0
    if isinstance(prompt[0], int):
        return len(prompt)
    parts = [part.get("content") if is_chat and isinstance(part, dict) else part for part in prompt]
    lengths = [_least_tokens(part, limits, is_chat=False) for part in parts if not is_chat or isinstance(part, str)]
    return sum(lengths) if is_chat else max(lengths, default=0)
