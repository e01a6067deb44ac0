"""Bodies of responses at once."""

from __future__ import annotations

import base64
import struct

from targets.http.dialects.model import Answer, Choice, Endpoint, EndpointKind, ErrorReading, Json, Problem, TokenUsage
from targets.http.dialects.schema import COUNT, NULL, SOME_TEXT, TEXT, array, either, integer, record, shape_problems

FINISHES = ("stop", "length", "tool_calls", "content_filter", "function_call")
_NUMBER: Json = {"type": "number"}
_FINISH: Json = {"enum": list(FINISHES)}
USAGE = record({"prompt_tokens": COUNT, "total_tokens": COUNT}, {"completion_tokens": COUNT})
_ENVELOPE: dict[str, Json] = {"id": SOME_TEXT, "created": integer(1, 2**33), "model": TEXT}
TEXT_LOGPROBS = record({"tokens": array(TEXT), "token_logprobs": array(either(_NUMBER, NULL))}, {})
CHAT_LOGPROBS = record({}, {"content": array(record({"token": TEXT, "logprob": _NUMBER}, {}))})

_COMPLETION = record(
    _ENVELOPE
    | {
        "object": {"const": "text_completion"},
        "choices": array(
            record({"index": COUNT, "text": TEXT, "finish_reason": _FINISH}, {"logprobs": TEXT_LOGPROBS}), 1
        ),
        "usage": USAGE,
    }
)
_MESSAGE = record({"role": {"const": "assistant"}}, {"content": TEXT})
_CHAT = record(
    _ENVELOPE
    | {
        "object": {"const": "chat.completion"},
        "choices": array(
            record({"index": COUNT, "message": _MESSAGE, "finish_reason": _FINISH}, {"logprobs": CHAT_LOGPROBS}), 1
        ),
        "usage": USAGE,
    }
)
_VECTOR = either(array(_NUMBER, 1), SOME_TEXT)
_EMBEDDINGS = record(
    {
        "object": {"const": "list"},
        "data": array(record({"index": COUNT, "object": {"const": "embedding"}, "embedding": _VECTOR}), 1),
        "usage": USAGE,
    }
)
_MODELS = record({"object": {"const": "list"}, "data": array(record({"id": TEXT, "object": {"const": "model"}}))})
_SHAPES = {
    EndpointKind.COMPLETE: _COMPLETION,
    EndpointKind.CHAT: _CHAT,
    EndpointKind.EMBED: _EMBEDDINGS,
    EndpointKind.LIST: _MODELS,
}
_ERROR = record({"error": record({"message": TEXT, "type": SOME_TEXT}, {"param": TEXT, "code": either(TEXT, COUNT)})})


def read_error(body: Json, status: int) -> ErrorReading:
    """`{"error": {"message", "type", "param", "code"}}`."""
    del status
    if problems := shape_problems(_ERROR, body, "envelope"):
        return ErrorReading(problems=problems)
    return ErrorReading(message=body["error"]["message"], kind=body["error"]["type"])


def read_answer(endpoint: Endpoint, body: Json) -> Answer:
    """A body of `text_completion`, `chat.completion` or a list."""
    if problems := shape_problems(_SHAPES[endpoint.kind], body, "shape"):
        return Answer(problems=problems)
    if endpoint.kind is EndpointKind.LIST:
        return Answer()
    if endpoint.kind is EndpointKind.EMBED:
        return _embeddings(body)
    choices = tuple(_choice(endpoint, found) for found in body["choices"])
    return Answer(
        choices=tuple(sorted(choices, key=lambda choice: choice.index)),
        usage=usage_of(body["usage"]),
        problems=numbering_problems(choices),
        stamps=(body["created"],),
    )


def usage_of(found: Json) -> TokenUsage:
    """The usage object."""
    return TokenUsage(
        prompt=found["prompt_tokens"], completion=found.get("completion_tokens"), total=found["total_tokens"]
    )


def numbering_problems(choices: tuple[Choice, ...]) -> tuple[Problem, ...]:
    """Choices are numbered 0, 1, 2, ..."""
    numbers = sorted(choice.index for choice in choices)
    if numbers == list(range(len(numbers))):
        return ()
    return (Problem("choice-numbers", f"choices are numbered {numbers}"),)


def _choice(endpoint: Endpoint, found: Json) -> Choice:
    chat = endpoint.kind is EndpointKind.CHAT
    text = found["message"].get("content") if chat else found["text"]
    tokens, numbers = logprobs_of(found.get("logprobs"), chat=chat)
    return Choice(
        index=found["index"],
        text=text or "",
        finish=found["finish_reason"],
        tokens=tokens,
        logprobs=numbers,
        runners_up=runners_up_of(found.get("logprobs"), chat=chat),
        offsets=offsets_of(found.get("logprobs")),
    )


def offsets_of(found: Json) -> tuple[int, ...]:
    """`text_offset`, which an answer to a chat does not have."""
    reported = found.get("text_offset") if isinstance(found, dict) else None
    numbers = reported if isinstance(reported, list) else []
    return tuple(numbers) if all(isinstance(number, int) for number in numbers) else ()


def logprobs_of(found: Json, *, chat: bool) -> tuple[tuple[str, ...] | None, tuple[float, ...] | None]:
    """Token texts and their log-probabilities; None where none were reported."""
    if not isinstance(found, dict):
        return None, None
    if chat:
        entries = found.get("content") or []
        return tuple(entry["token"] for entry in entries), tuple(entry["logprob"] for entry in entries)
    numbers = tuple(value for value in found["token_logprobs"] if value is not None)
    return tuple(found["tokens"]), numbers


def runners_up_of(found: Json, *, chat: bool) -> tuple[float | None, ...]:
    """The best log-probability beside that of each token; empty where candidates do not fit the tokens."""
    if not isinstance(found, dict):
        return ()
    if chat:
        return tuple(_best_other(_named(entry), entry["token"]) for entry in found.get("content") or [])
    reported = found.get("top_logprobs")
    if not isinstance(reported, list) or len(reported) != len(found["tokens"]):
        return ()
    return tuple(_best_other(top, token) for top, token in zip(reported, found["tokens"], strict=True))


def _named(entry: dict[str, Json]) -> dict[str, Json]:
    """The candidates of a token of a chat by their texts."""
    reported = entry.get("top_logprobs")
    candidates = [one for one in reported if isinstance(one, dict)] if isinstance(reported, list) else []
    return {one["token"]: one.get("logprob") for one in candidates if isinstance(one.get("token"), str)}


def _best_other(candidates: Json, token: str) -> float | None:
    if not isinstance(candidates, dict):
        return None
    others = [value for name, value in candidates.items() if name != token and isinstance(value, int | float)]
    return max(others, default=None)


def _embeddings(body: Json) -> Answer:
    vectors, problems = [], []
    for entry in body["data"]:
        try:
            vectors.append(_vector(entry["embedding"]))
        except (ValueError, struct.error) as error:
            problems.append(Problem("embedding", f"an embedding is neither numbers nor base64 of floats: {error}"))
    numbers = [entry["index"] for entry in body["data"]]
    if numbers != list(range(len(numbers))):
        problems.append(Problem("choice-numbers", f"embeddings are numbered {numbers}"))
    return Answer(vectors=tuple(vectors), usage=usage_of(body["usage"]), problems=tuple(problems))


def _vector(found: Json) -> tuple[float, ...]:
    if isinstance(found, list):
        return tuple(found)
    packed = base64.b64decode(found, validate=True)
    return struct.unpack(f"<{len(packed) // 4}f", packed)
