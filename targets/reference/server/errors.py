"""Client and server errors, and how each dialect writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse

from targets.contract import RequestRejected

_MESSAGE_LIMIT = 300

_OPENAI_TYPES = {404: "not_found_error", 429: "rate_limit_exceeded"}
_ANTHROPIC_TYPES = {404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error"}


class ApiError(Exception):
    """A request that is answered with an error. `param` is the field it is about, if it is about one."""

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None) -> None:
        self.status = status
        self.message = message if len(message) <= _MESSAGE_LIMIT else f"{message[:_MESSAGE_LIMIT]}..."
        self.param = param
        self.code = code
        super().__init__(self.message)


Envelope = Callable[[ApiError], dict[str, Any]]


def invalid(message: str, param: str | None = None) -> ApiError:
    """A request outside the documented domain."""
    return ApiError(400, message, param)


def of_rejection(rejected: RequestRejected) -> ApiError:
    """What the executor refused, in the words of the API."""
    return invalid(str(rejected), rejected.field.removeprefix("sampling."))


def openai_envelope(error: ApiError) -> dict[str, Any]:
    """`{"error": {"message", "type", "param", "code"}}`."""
    fallback = "server_error" if error.status >= 500 else "invalid_request_error"
    kind = _OPENAI_TYPES.get(error.status, fallback)
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}}


def anthropic_envelope(error: ApiError) -> dict[str, Any]:
    """`{"type": "error", "error": {"type", "message"}}`."""
    fallback = "api_error" if error.status >= 500 else "invalid_request_error"
    kind = _ANTHROPIC_TYPES.get(error.status, fallback)
    return {"type": "error", "error": {"type": kind, "message": error.message}}


def ollama_envelope(error: ApiError) -> dict[str, Any]:
    """`{"error": "text"}`."""
    return {"error": error.message}


def envelope_for(path: str) -> Envelope:
    """The envelope of the dialect a path belongs to."""
    if path.startswith("/api/"):
        return ollama_envelope
    return anthropic_envelope if path.startswith("/v1/messages") else openai_envelope


def respond(error: ApiError, path: str) -> JSONResponse:
    """The error as a response on that path."""
    return JSONResponse(envelope_for(path)(error), status_code=error.status)
