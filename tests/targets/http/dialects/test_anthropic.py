from __future__ import annotations

import json
from typing import Any

import pytest

from targets.http.dialects.anthropic import ANTHROPIC
from targets.http.dialects.model import Answer

MESSAGES = ANTHROPIC.endpoint("messages")
assert MESSAGES


def event(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 0},
}
START = event("message_start", message=MESSAGE)
OPEN = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
DELTA = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "ab"})
CLOSE = event("content_block_stop", index=0)
END = event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 2})
STOP = event("message_stop")


def read(text: str) -> Answer:
    assert MESSAGES
    return ANTHROPIC.read_stream(MESSAGES, text.encode(), {})


def test_a_good_stream_has_text_reason_and_usage() -> None:
    answer = read(START + OPEN + DELTA + DELTA + CLOSE + END + STOP)
    assert answer.problems == ()
    assert (answer.choices[0].text, answer.choices[0].finish) == ("abab", "end_turn")
    assert answer.usage is not None and (answer.usage.prompt, answer.usage.completion) == (3, 2)


def test_pings_may_come_anywhere() -> None:
    assert read(START + event("ping") + OPEN + DELTA + event("ping") + CLOSE + END + STOP).problems == ()


@pytest.mark.parametrize(
    ("stream", "slug"),
    [
        (OPEN + DELTA + CLOSE + END + STOP, "event-order"),
        (START + DELTA + CLOSE + END + STOP, "event-order"),
        (START + OPEN + DELTA + END + STOP, "event-order"),
        (START + OPEN + DELTA + CLOSE + STOP, "event-order"),
        (START + OPEN + DELTA + CLOSE + END, "no-message-stop"),
        (START + OPEN + DELTA.replace('"index": 0', '"index": 1') + CLOSE + END + STOP, "block-index"),
        (START + OPEN + DELTA + CLOSE + END + STOP + DELTA, "after-end"),
        (START + OPEN + DELTA + CLOSE + END + STOP + "data: [DONE]\n\n", "event-not-json"),
        (START + OPEN.replace("event: content_block_start", "event: x") + DELTA + CLOSE + END + STOP, "event-name"),
        (START + event("unknown") + OPEN + DELTA + CLOSE + END + STOP, "event-unknown"),
        (START + OPEN + DELTA + CLOSE + END.replace('"output_tokens": 2', '"x": 2') + STOP, "no-usage"),
        (START + OPEN + DELTA + CLOSE + END.replace("end_turn", "stop_sequence") + STOP, "stop-sequence"),
        (START + OPEN + DELTA + CLOSE + END.replace("end_turn", "done") + STOP, "event-shape"),
    ],
)
def test_each_breach_of_the_stream_grammar_is_named(stream: str, slug: str) -> None:
    assert slug in {problem.slug for problem in read(stream).problems}


def test_an_error_event_may_end_a_stream() -> None:
    answer = read(START + event("error", error={"type": "overloaded_error", "message": "busy"}))
    assert (answer.error, answer.problems) == ("busy", ())


def test_the_error_type_follows_the_status() -> None:
    body = {"type": "error", "error": {"type": "api_error", "message": "m"}}
    assert [problem.slug for problem in ANTHROPIC.read_error(body, 400).problems] == ["error-type"]
    assert ANTHROPIC.read_error(body, 500).problems == ()
