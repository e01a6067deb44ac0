"""Response objects and the error envelope."""

from __future__ import annotations

from targets.http.dialects.model import Answer, Choice, Endpoint, EndpointKind, ErrorReading, Json, TokenUsage
from targets.http.dialects.schema import COUNT, SOME_TEXT, TEXT, array, record, shape_problems

DONE_REASONS = ("stop", "length", "load", "unload")
_MESSAGE = record({"role": {"const": "assistant"}, "content": TEXT})
_COUNTS: dict[str, Json] = {
    "total_duration": COUNT,
    "load_duration": COUNT,
    "prompt_eval_count": COUNT,
    "prompt_eval_duration": COUNT,
    "eval_count": COUNT,
    "eval_duration": COUNT,
}
_MODEL = record({"name": SOME_TEXT, "model": SOME_TEXT, "modified_at": TEXT, "size": COUNT, "digest": TEXT})
TAGS = record({"models": array(_MODEL)})
_ERROR = record({"error": SOME_TEXT})


def content_field(endpoint: Endpoint) -> dict[str, Json]:
    """The field that carries text."""
    return {"message": _MESSAGE} if endpoint.kind is EndpointKind.CHAT else {"response": TEXT}


def part_shape(endpoint: Endpoint) -> Json:
    """Any object of a stream but the last."""
    return record({"model": TEXT, "created_at": SOME_TEXT, "done": {"const": False}} | content_field(endpoint))


def final_shape(endpoint: Endpoint) -> Json:
    """The last object of a stream, or the whole answer."""
    fields = {
        "model": TEXT,
        "created_at": SOME_TEXT,
        "done": {"const": True},
        "done_reason": {"enum": list(DONE_REASONS)},
    }
    return record(fields | content_field(endpoint), _COUNTS)


def text_of(endpoint: Endpoint, found: Json) -> str:
    """The text in an object."""
    return str(found["message"]["content"] if endpoint.kind is EndpointKind.CHAT else found["response"])


def usage_of(found: Json) -> TokenUsage | None:
    """The counts of a final object; Ollama leaves out a count of zero."""
    if "eval_count" not in found and "prompt_eval_count" not in found:
        return None
    return TokenUsage(prompt=found.get("prompt_eval_count"), completion=found.get("eval_count", 0))


def read_error(body: Json, status: int) -> ErrorReading:
    """`{"error": "text"}`."""
    del status
    if problems := shape_problems(_ERROR, body, "envelope"):
        return ErrorReading(problems=problems)
    return ErrorReading(message=body["error"])


def read_answer(endpoint: Endpoint, body: Json) -> Answer:
    """One object with everything."""
    if endpoint.kind is EndpointKind.LIST:
        return Answer(problems=shape_problems(TAGS, body, "shape"))
    if problems := shape_problems(final_shape(endpoint), body, "shape"):
        return Answer(problems=problems)
    choice = Choice(index=0, text=text_of(endpoint, body), finish=body["done_reason"])
    return Answer(choices=(choice,), usage=usage_of(body))
