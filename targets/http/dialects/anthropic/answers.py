"""The message object and the error envelope."""

from __future__ import annotations

from targets.http.dialects.model import Answer, Choice, Endpoint, ErrorReading, Json, Problem, TokenUsage
from targets.http.dialects.schema import COUNT, SOME_TEXT, TEXT, array, record, shape_problems

STOP_REASONS = ("end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal")
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}
USAGE = record({"input_tokens": COUNT, "output_tokens": COUNT})
BLOCK = record({"type": {"const": "text"}, "text": TEXT})
_ENVELOPE: dict[str, Json] = {
    "id": SOME_TEXT,
    "type": {"const": "message"},
    "role": {"const": "assistant"},
    "model": TEXT,
    "usage": USAGE,
}
_MESSAGE = record(
    _ENVELOPE | {"content": array(BLOCK), "stop_reason": {"enum": list(STOP_REASONS)}}, {"stop_sequence": TEXT}
)
START = record(_ENVELOPE | {"content": array(BLOCK, 0, 0)}, {"stop_reason": TEXT, "stop_sequence": TEXT})
_ERROR = record({"type": {"const": "error"}, "error": record({"type": SOME_TEXT, "message": TEXT})})


def read_error(body: Json, status: int) -> ErrorReading:
    """`{"type": "error", "error": {"type", "message"}}`, the type as the status says."""
    if problems := shape_problems(_ERROR, body, "envelope"):
        return ErrorReading(problems=problems)
    error = body["error"]
    expected = ERROR_TYPES.get(status)
    strange = expected is not None and error["type"] != expected
    message = f"status {status} carries the error type {error['type']!r} instead of {expected!r}"
    problems = (Problem("error-type", message),) if strange else ()
    return ErrorReading(message=error["message"], kind=error["type"], problems=problems)


def read_answer(endpoint: Endpoint, body: Json) -> Answer:
    """A whole message."""
    del endpoint
    if problems := shape_problems(_MESSAGE, body, "shape"):
        return Answer(problems=problems)
    text = "".join(block["text"] for block in body["content"])
    return Answer(
        choices=(Choice(index=0, text=text, finish=body["stop_reason"]),),
        usage=usage_of(body["usage"]),
        problems=stop_problems(body["stop_reason"], body.get("stop_sequence")),
    )


def usage_of(found: Json) -> TokenUsage:
    """The usage object."""
    return TokenUsage(prompt=found["input_tokens"], completion=found["output_tokens"])


def stop_problems(reason: Json, sequence: Json) -> tuple[Problem, ...]:
    """`stop_sequence` is named if, and only if, it is the reason."""
    if (reason == "stop_sequence") == (sequence is not None):
        return ()
    return (Problem("stop-sequence", f"stop_reason is {reason!r} and stop_sequence is {sequence!r}"),)
