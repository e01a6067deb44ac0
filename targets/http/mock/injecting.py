"""ASGI middleware that records requests and lets the script's faults happen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from targets.http.mock.script import Injection
from targets.reference.server.errors import ApiError, respond

_GARBAGE = b'data: {"garbage\x00\n\n'


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A request that the mock server received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body. Raises `ValueError`."""
        return json.loads(self.body)


class _Cut(Exception):  # noqa: N818 - makes the server drop the connection
    pass


class Injecting:
    """Wraps an application. `choose` says what goes wrong with a request, if anything does."""

    def __init__(
        self, app: ASGIApp, choose: Callable[[Recorded], Injection | None], record: Callable[[Recorded], None]
    ) -> None:
        self._app = app
        self._choose = choose
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = await _read(scope, receive)
        self._record(request)
        injection = self._choose(request) or Injection()
        await asyncio.sleep(injection.delay)
        if injection.never:
            await _until_gone(receive)
        elif injection.status is not None:
            response = respond(ApiError(injection.status, injection.message), request.path)
            if injection.retry_after is not None:
                response.headers["retry-after"] = str(injection.retry_after)
            await response(scope, receive, send)
        else:
            await self._app(scope, _replayed(request.body, receive), _damaged(injection, send))


async def _read(scope: Scope, receive: Receive) -> Recorded:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Recorded(method=scope["method"], path=scope["path"], headers=headers, body=bytes(body))


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def _damaged(injection: Injection, send: Send) -> Send:
    if injection.cut_after is None and injection.corrupt_after is None:
        return send
    events = 0

    async def damage(message: Message) -> None:
        nonlocal events
        if message["type"] == "http.response.body" and message.get("more_body"):
            if events == injection.cut_after:
                raise _Cut
            if events == injection.corrupt_after:
                message = {**message, "body": _GARBAGE}
            events += 1
        await send(message)

    return damage
