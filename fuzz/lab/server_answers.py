"""Comparing answers of a server, and the bodies that the lab itself asks with."""

from __future__ import annotations

import json
import math
from typing import Any

from targets.http.dialects.fields import greedy, placed
from targets.http.dialects.model import Answer, ApiLimits, Choice, Dialect, Endpoint, EndpointKind, Json, Problem
from targets.http.reply import Reply

NOT_JSON = Problem("body-not-json", "a successful body is not JSON")
CANARY_TOKENS = 4
LOGPROB_TOLERANCE = 1e-3
"""Absolute; batches of other shapes may round differently."""


def read_reply(
    dialect: Dialect, endpoint: Endpoint | None, body: dict[str, Json] | None, reply: Reply
) -> Answer | None:
    """The answer that a successful reply of an endpoint to this body is; None if it is no success."""
    if endpoint is None or not reply.is_success:
        return None
    if reply.media_type == dialect.stream_type:
        return dialect.read_stream(endpoint, reply.body, body or {})
    try:
        value = json.loads(reply.body)
    except (ValueError, RecursionError):
        return Answer(problems=(NOT_JSON,))
    return dialect.read_answer(endpoint, value)


def same_choices(left: Answer | None, right: Answer | None) -> bool:
    """Whether two answers say the same."""
    if left is None or right is None or len(left.choices) != len(right.choices):
        return False
    return not any(difference(*pair) for pair in zip(left.choices, right.choices, strict=True))


def difference(left: Choice, right: Choice, tolerance: float = LOGPROB_TOLERANCE) -> str:
    """What differs between two choices: `text`, `finish`, `tokens`, `logprobs`; empty if nothing does."""
    if left.text != right.text:
        return "text"
    if left.finish != right.finish:
        return "finish"
    if left.tokens != right.tokens:
        return "tokens"
    numbers = zip(left.logprobs or (), right.logprobs or (), strict=False)
    close = all(math.isclose(*pair, rel_tol=0, abs_tol=tolerance) for pair in numbers)
    return "" if close and len(left.logprobs or ()) == len(right.logprobs or ()) else "logprobs"


def canary_body(dialect: Dialect, endpoint: Endpoint, limits: ApiLimits) -> dict[str, Json]:
    """A short greedy request."""
    prompt: dict[str, Json] = {"prompt": "canary"}
    if endpoint.kind is EndpointKind.CHAT:
        prompt = {"messages": [{"role": "user", "content": "canary"}]}
    body = {"model": limits.model, **prompt}
    body = placed(body, dialect.max_tokens_field, CANARY_TOKENS)
    body = greedy(dialect, body)
    return body | ({"stream": False} if endpoint.streams_by_default else {})


def busy(found: dict[str, Any]) -> bool:
    """Whether an accounting shows work or requests in flight."""
    return any(found.get(name, 0) for name in ("running", "waiting", "open_requests", "connections"))
