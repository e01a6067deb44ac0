"""The routes of all dialects as one application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from targets.http.dialects import DIALECTS
from targets.http.dialects.model import ApiLimits
from targets.http.openapi import OFFERED_AT, document
from targets.reference.server import anthropic, faults, ollama
from targets.reference.server.errors import ApiError, respond
from targets.reference.server.front_end import FrontEnd
from targets.reference.server.openai import routes as openai

FAULTS = "/internal/faults"
"""Fault points of the front end and the executor: `GET` tells how often each was passed, `POST` injects a fault."""
RESOURCES = "/internal/resources"
"""Accounting for leak checks: the executor's resources and the requests in flight."""

Handler = Callable[[FrontEnd, Request], Awaitable[Any]]
_log = logging.getLogger(__name__)

_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/completions", openai.completions),
    ("POST", "/v1/chat/completions", openai.chat),
    ("POST", "/v1/embeddings", openai.embeddings),
    ("GET", "/v1/models", openai.models),
    ("POST", "/v1/messages", anthropic.messages),
    ("POST", "/api/generate", ollama.generate),
    ("POST", "/api/chat", ollama.chat),
    ("GET", "/api/tags", ollama.tags),
)


def build_app(front_end: FrontEnd) -> Starlette:
    """The application; every error is written in the envelope of the dialect that its path belongs to."""
    routes = [Route(path, _endpoint(front_end, handler), methods=[method]) for method, path, handler in _ROUTES]
    routes += [
        Route(RESOURCES, _endpoint(front_end, _resources), methods=["GET"]),
        Route(FAULTS, _endpoint(front_end, faults.read), methods=["GET"]),
        Route(FAULTS, _endpoint(front_end, faults.inject), methods=["POST"]),
        Route(OFFERED_AT, _endpoint(front_end, _schema), methods=["GET"]),
        Route("/health", _endpoint(front_end, _health), methods=["GET"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _on_http_error})


def _endpoint(front_end: FrontEnd, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            answer: Response = await handler(front_end, request)
        except ApiError as error:
            return respond(error, request.url.path)
        except ClientDisconnect:
            # Usually nobody reads this; a client that only closed its sending side learns what is wrong.
            return respond(ApiError(400, "the body is not complete"), request.url.path)
        except Exception:  # noqa: BLE001 - whatever it is, the client gets an answer in the envelope
            _log.exception("a request failed")
            return respond(ApiError(500, "internal error"), request.url.path)
        return answer

    return endpoint


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = respond(
        ApiError(error.status_code, f"{request.method} {request.url.path}: {error.detail}"), request.url.path
    )
    response.headers.update(error.headers or {})
    return response


async def _resources(front_end: FrontEnd, request: Request) -> Response:
    del request
    resources = await asyncio.wrap_future(front_end.engine.resources())
    known = {} if resources is None else msgspec.to_builtins(resources)
    return JSONResponse({**known, "open_requests": front_end.engine.open_requests})


async def _schema(front_end: FrontEnd, request: Request) -> Response:
    del request
    limits = front_end.limits
    known = ApiLimits(
        model=front_end.model,
        vocab_size=limits.vocab_size,
        context_length=limits.context_length,
        max_samples=limits.max_samples,
    )
    return JSONResponse(document(tuple(DIALECTS.values()), known))


async def _health(front_end: FrontEnd, request: Request) -> Response:
    del front_end, request
    return JSONResponse({"status": "ok"})
