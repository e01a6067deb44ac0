"""The grammar of OpenAI streams: chunks with deltas, one finish for each choice, optional usage, `[DONE]`."""

from __future__ import annotations

from dataclasses import dataclass, field

from targets.http.dialects import sse
from targets.http.dialects.model import Answer, Choice, Endpoint, EndpointKind, Json, Problem, TokenUsage
from targets.http.dialects.openai.answers import (
    CHAT_LOGPROBS,
    FINISHES,
    TEXT_LOGPROBS,
    USAGE,
    logprobs_of,
    offsets_of,
    runners_up_of,
    usage_of,
)
from targets.http.dialects.schema import COUNT, SOME_TEXT, TEXT, array, integer, record, shape_problems
from targets.http.dialects.strict_json import StrictJsonError, parse

DONE = "[DONE]"
_ENVELOPE: dict[str, Json] = {"id": SOME_TEXT, "created": integer(1, 2**33), "model": TEXT}
_FINISH: Json = {"enum": list(FINISHES)}
_TEXT_CHOICE = record({"index": COUNT, "text": TEXT}, {"finish_reason": _FINISH, "logprobs": TEXT_LOGPROBS})
_DELTA = record({}, {"role": {"const": "assistant"}, "content": TEXT})
_CHAT_CHOICE = record({"index": COUNT, "delta": _DELTA}, {"finish_reason": _FINISH, "logprobs": CHAT_LOGPROBS})
_CHUNKS = {
    EndpointKind.COMPLETE: record(
        _ENVELOPE | {"object": {"const": "text_completion"}, "choices": array(_TEXT_CHOICE)}, {"usage": USAGE}
    ),
    EndpointKind.CHAT: record(
        _ENVELOPE | {"object": {"const": "chat.completion.chunk"}, "choices": array(_CHAT_CHOICE)}, {"usage": USAGE}
    ),
}


@dataclass
class _Sample:
    text: str = ""
    finish: str | None = None
    tokens: list[str] | None = None
    logprobs: list[float] | None = None
    runners_up: tuple[float | None, ...] = ()
    offsets: tuple[int, ...] = ()


@dataclass
class _Stream:
    """What was seen so far."""

    chat: bool
    samples: dict[int, _Sample] = field(default_factory=dict)
    usage: TokenUsage | None = None
    error: str = ""
    constant: dict[str, Json] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def complain(self, slug: str, message: str) -> None:
        self.problems.append(Problem(slug, message))


def read_stream(endpoint: Endpoint, body: bytes, request: Json) -> Answer:
    """A stream of chunks that ends with `[DONE]`, or with an error event."""
    events, problems = sse.read_events(body)
    stream = _Stream(chat=endpoint.kind is EndpointKind.CHAT, problems=list(problems))
    for position, event in enumerate(events):
        if event.data == DONE:
            if position != len(events) - 1:
                stream.complain("after-done", f"{len(events) - position - 1} events follow [DONE]")
            break
        _take(stream, endpoint, event.data)
    else:
        if not stream.error and not problems:
            stream.complain("no-done", "the stream ends without data: [DONE]")
    if not stream.error:
        _check_end(stream, request)
    return _answer(stream, len(events))


def _take(stream: _Stream, endpoint: Endpoint, data: str) -> None:
    try:
        chunk = parse(data.encode())
    except StrictJsonError as error:
        stream.complain("chunk-not-json", f"a chunk is not JSON ({error}): {data[:80]!r}")
        return
    if isinstance(chunk, dict) and chunk.get("error"):
        found = chunk["error"]
        stream.error = str(found.get("message") if isinstance(found, dict) else found) or "error"
        return
    if stream.error:
        stream.complain("after-error", "a chunk follows an error event")
    problems = shape_problems(_CHUNKS[endpoint.kind], chunk, "chunk-shape")
    stream.problems += problems
    if not problems:
        _take_chunk(stream, chunk)


def _take_chunk(stream: _Stream, chunk: Json) -> None:
    for name in ("id", "created", "model", "object"):
        if stream.constant.setdefault(name, chunk[name]) != chunk[name]:
            slug = "created-varies" if name == "created" else "chunk-varies"
            stream.complain(slug, f"{name} changes from {stream.constant[name]!r} to {chunk[name]!r}")
    if stream.usage is not None:
        stream.complain("after-usage", "a chunk follows the usage chunk")
    for choice in chunk["choices"]:
        _take_choice(stream, choice)
    if chunk.get("usage") and not chunk["choices"]:
        stream.usage = usage_of(chunk["usage"])


def _take_choice(stream: _Stream, choice: Json) -> None:
    index = choice["index"]
    is_new = index not in stream.samples
    sample = stream.samples.setdefault(index, _Sample())
    delta = choice.get("delta") or {}
    if stream.chat and is_new and delta.get("role") != "assistant":
        stream.complain("no-role", f"the first delta of choice {index} has no role")
    if sample.finish is not None:
        stream.complain("after-finish", f"a delta of choice {index} follows its finish reason")
    text = delta.get("content") if stream.chat else choice["text"]
    sample.text += text or ""
    sample.finish = choice.get("finish_reason") or sample.finish
    tokens, numbers = logprobs_of(choice.get("logprobs"), chat=stream.chat)
    if tokens is not None and numbers is not None:
        sample.tokens = [*(sample.tokens or []), *tokens]
        sample.logprobs = [*(sample.logprobs or []), *numbers]
        sample.offsets += offsets_of(choice.get("logprobs"))
        sample.runners_up += runners_up_of(choice.get("logprobs"), chat=stream.chat)


def _check_end(stream: _Stream, request: Json) -> None:
    for index, sample in stream.samples.items():
        if sample.finish is None:
            stream.complain("no-finish", f"choice {index} has no finish reason")
    options = request.get("stream_options") if isinstance(request, dict) else None
    wanted = isinstance(options, dict) and options.get("include_usage") is True
    if wanted and stream.usage is None:
        stream.complain("no-usage", "include_usage was asked for, and no usage chunk came")
    if not stream.samples and not stream.problems:
        stream.complain("no-choice", "the stream has no choice")


def _answer(stream: _Stream, events: int) -> Answer:
    choices = [
        Choice(
            index=index,
            text=sample.text,
            finish=sample.finish,
            tokens=None if sample.tokens is None else tuple(sample.tokens),
            logprobs=None if sample.logprobs is None else tuple(sample.logprobs),
            runners_up=sample.runners_up,
            offsets=sample.offsets,
        )
        for index, sample in sorted(stream.samples.items())
    ]
    if [choice.index for choice in choices] != list(range(len(choices))):
        stream.complain("choice-numbers", f"choices are numbered {[choice.index for choice in choices]}")
    return Answer(
        choices=tuple(choices),
        usage=stream.usage,
        problems=tuple(stream.problems),
        events=events,
        error=stream.error,
        stamps=(stream.constant["created"],) if "created" in stream.constant else (),
    )
