"""The grammar of message streams: start, blocks in order, delta, stop; every event named like its data."""

from __future__ import annotations

from dataclasses import dataclass, field

from targets.http.dialects import sse
from targets.http.dialects.anthropic.answers import BLOCK, START, STOP_REASONS, stop_problems, usage_of
from targets.http.dialects.model import Answer, Choice, Endpoint, Json, Problem, TokenUsage
from targets.http.dialects.schema import COUNT, TEXT, either, record, shape_problems
from targets.http.dialects.strict_json import StrictJsonError, parse

_TEXT_DELTA = record({"type": {"const": "text_delta"}, "text": TEXT})
_REASON: Json = {"enum": list(STOP_REASONS)}
_SHAPES: dict[str, Json] = {
    "message_start": record({"message": START}),
    "content_block_start": record({"index": COUNT, "content_block": BLOCK}),
    "content_block_delta": record({"index": COUNT, "delta": either(_TEXT_DELTA)}),
    "content_block_stop": record({"index": COUNT}),
    "message_delta": record({"delta": record({"stop_reason": _REASON}, {"stop_sequence": TEXT}), "usage": {}}),
    "message_stop": record({}),
    "ping": record({}),
    "error": record({"error": record({"type": TEXT, "message": TEXT})}),
}


@dataclass
class _Stream:
    """State of the grammar: what may come next, and what was said."""

    state: str = "start"
    """start, between (blocks), inside (a block), ended (delta came), stopped."""
    block: int = -1
    text: str = ""
    finish: str | None = None
    usage: TokenUsage | None = None
    error: str = ""
    deltas: int = 0
    problems: list[Problem] = field(default_factory=list)

    def complain(self, slug: str, message: str) -> None:
        self.problems.append(Problem(slug, message))


def read_stream(endpoint: Endpoint, body: bytes, request: Json) -> Answer:
    """A stream of one message."""
    del endpoint, request
    events, problems = sse.read_events(body)
    stream = _Stream(problems=list(problems))
    for event in events:
        _take(stream, event)
    if not stream.error and stream.state != "stopped" and not problems:
        stream.complain("no-message-stop", f"the stream ends without message_stop (state {stream.state})")
    return Answer(
        choices=(Choice(index=0, text=stream.text, finish=stream.finish),),
        usage=stream.usage,
        problems=tuple(stream.problems),
        events=len(events),
        error=stream.error,
    )


def _take(stream: _Stream, event: sse.Event) -> None:
    try:
        data = parse(event.data.encode())
    except StrictJsonError as error:
        stream.complain("event-not-json", f"the data of {event.name!r} is not JSON: {error}")
        return
    kind = data.get("type") if isinstance(data, dict) else None
    if event.name != kind:
        stream.complain("event-name", f"event {event.name!r} carries data of type {kind!r}")
    if kind not in _SHAPES:
        stream.complain("event-unknown", f"event type {kind!r} is not in the grammar")
        return
    if problems := shape_problems(_SHAPES[kind], data, "event-shape"):
        stream.problems += problems
        return
    _advance(stream, kind, data)


def _advance(stream: _Stream, kind: str, data: Json) -> None:
    if stream.state == "stopped" or stream.error:
        stream.complain("after-end", f"{kind} follows the end of the stream")
    if kind == "error":
        stream.error = data["error"]["message"] or "error"
    elif kind != "ping":
        _STEPS[kind](stream, data)


def _expect(stream: _Stream, kind: str, *states: str) -> None:
    if stream.state not in states:
        stream.complain("event-order", f"{kind} comes in state {stream.state!r}")


def _start(stream: _Stream, data: Json) -> None:
    _expect(stream, "message_start", "start")
    stream.state = "between"
    stream.usage = usage_of(data["message"]["usage"])


def _open(stream: _Stream, data: Json) -> None:
    _expect(stream, "content_block_start", "between")
    if data["index"] != stream.block + 1:
        stream.complain("block-index", f"block {data['index']} starts after block {stream.block}")
    stream.state, stream.block, stream.deltas = "inside", data["index"], 0
    stream.text += data["content_block"]["text"]


def _delta(stream: _Stream, data: Json) -> None:
    _expect(stream, "content_block_delta", "inside")
    _check_index(stream, data)
    stream.deltas += 1
    stream.text += data["delta"]["text"]


def _close(stream: _Stream, data: Json) -> None:
    _expect(stream, "content_block_stop", "inside")
    _check_index(stream, data)
    stream.state = "between"


def _end(stream: _Stream, data: Json) -> None:
    _expect(stream, "message_delta", "between")
    stream.state, stream.finish = "ended", data["delta"]["stop_reason"]
    stream.problems += stop_problems(stream.finish, data["delta"].get("stop_sequence"))
    usage = data["usage"]
    if not isinstance(usage, dict) or not isinstance(usage.get("output_tokens"), int):
        stream.complain("no-usage", f"message_delta has the usage {usage!r}, without output_tokens")
        return
    before = stream.usage.prompt if stream.usage else None
    stream.usage = TokenUsage(prompt=usage.get("input_tokens", before), completion=usage["output_tokens"])


def _stop(stream: _Stream, data: Json) -> None:
    del data
    _expect(stream, "message_stop", "ended")
    stream.state = "stopped"


def _check_index(stream: _Stream, data: Json) -> None:
    if data["index"] != stream.block:
        stream.complain("block-index", f"an event is for block {data['index']} inside block {stream.block}")


_STEPS = {
    "message_start": _start,
    "content_block_start": _open,
    "content_block_delta": _delta,
    "content_block_stop": _close,
    "message_delta": _end,
    "message_stop": _stop,
}
