from __future__ import annotations

import json
from typing import Any

import pytest

from targets.http.dialects import DIALECTS
from targets.http.dialects.model import Answer, ApiLimits
from targets.http.dialects.openai import OPENAI
from targets.http.dialects.schema import errors

CHAT = OPENAI.endpoint("chat")
COMPLETIONS = OPENAI.endpoint("completions")
assert CHAT and COMPLETIONS


def chunk(*choices: dict[str, Any], **more: Any) -> str:
    value = {"id": "c", "object": "chat.completion.chunk", "created": 5, "model": "m", "choices": list(choices), **more}
    return f"data: {json.dumps(value)}\n\n"


def delta(content: str | None = None, finish: str | None = None, index: int = 0, role: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {"role": "assistant"} if role else {}
    if content is not None:
        found["content"] = content
    return {"index": index, "delta": found, "finish_reason": finish}


GOOD = chunk(delta("", role=True)) + chunk(delta("ab")) + chunk(delta("c")) + chunk(delta(finish="stop"))
DONE = "data: [DONE]\n\n"


def read(text: str, request: Any = None) -> Answer:
    assert CHAT
    return OPENAI.read_stream(CHAT, text.encode(), request or {})


def slugs(text: str, request: Any = None) -> set[str]:
    return {problem.slug for problem in read(text, request).problems}


def test_a_good_stream_has_its_text_and_no_problem() -> None:
    answer = read(GOOD + DONE)
    assert answer.problems == ()
    assert (answer.choices[0].text, answer.choices[0].finish) == ("abc", "stop")


@pytest.mark.parametrize(
    ("stream", "slug"),
    [
        (GOOD, "no-done"),
        (GOOD + DONE + chunk(delta("x")), "after-done"),
        (GOOD.replace('"role": "assistant"', '"content": ""') + DONE, "no-role"),
        (GOOD.replace('"finish_reason": "stop"', '"finish_reason": null') + DONE, "no-finish"),
        (GOOD + chunk(delta("x")) + DONE, "after-finish"),
        (GOOD.replace('"c", "object"', '"d", "object"', 1) + DONE, "chunk-varies"),
        (GOOD.replace('"created": 5', '"created": "5"') + DONE, "chunk-shape"),
        (GOOD + "data: {\n\n" + DONE, "chunk-not-json"),
        (GOOD + 'data: {"a": NaN}\n\n' + DONE, "chunk-not-json"),
        (GOOD + DONE.rstrip("\n"), "event-unended"),
        (GOOD + "{}\n\n" + DONE, "event-line"),
        (GOOD.replace('"index": 0', '"index": 1') + DONE, "choice-numbers"),
    ],
)
def test_each_breach_of_the_stream_grammar_is_named(stream: str, slug: str) -> None:
    assert slug in slugs(stream)


def test_usage_is_required_when_it_was_asked_for() -> None:
    asked = {"stream_options": {"include_usage": True}}
    assert slugs(GOOD + DONE, asked) == {"no-usage"}
    usage = chunk(usage={"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4})
    answer = read(GOOD + usage + DONE, asked)
    assert answer.problems == ()
    assert answer.usage is not None and answer.usage.total == 4


def test_an_error_event_may_end_a_stream() -> None:
    answer = read(chunk(delta("", role=True)) + 'data: {"error": {"message": "boom", "type": "t"}}\n\n')
    assert (answer.error, answer.problems) == ("boom", ())


def test_comments_between_events_are_allowed() -> None:
    assert slugs(": ping\n\n" + GOOD + DONE) == set()


def test_a_stream_that_is_not_utf8_is_a_problem() -> None:
    assert CHAT
    [problem] = OPENAI.read_stream(CHAT, b"data: \xff\n\n", {}).problems
    assert problem.slug == "stream-not-utf8"


def test_an_error_envelope_is_read() -> None:
    reading = OPENAI.read_error({"error": {"message": "m", "type": "t", "param": None, "code": "c"}}, 400)
    assert (reading.message, reading.kind, reading.problems) == ("m", "t", ())


def test_another_error_envelope_is_a_problem() -> None:
    assert OPENAI.read_error({"detail": "no"}, 422).problems[0].slug == "envelope"


def test_a_body_without_usage_is_a_problem() -> None:
    assert COMPLETIONS
    assert OPENAI.read_answer(COMPLETIONS, {"id": "x"}).problems[0].slug == "shape"


@pytest.mark.parametrize("size", [1, 2, 10, 11, 100, 280, 999, 1000, 32064, 151936])
def test_a_logit_bias_key_is_a_token_id_of_the_vocabulary(size: int) -> None:
    schema = COMPLETIONS.request(ApiLimits(vocab_size=size)) if COMPLETIONS else {}
    tried = {0, 1, 9, 10, 99, 100, 279, 280, 281, size // 2, size - 1, size, size + 1, 10 * size}
    for token in tried:
        body = {"model": "m", "prompt": "x", "logit_bias": {str(token): 1}}
        assert bool(errors(schema, body)) == (token >= size), token


def test_leading_zeros_make_no_other_token_id() -> None:
    schema = COMPLETIONS.request(ApiLimits(vocab_size=300)) if COMPLETIONS else {}
    refused = [
        key
        for key in ("01", "0299", "00", "0300", "0x1")
        if errors(schema, {"model": "m", "prompt": "x", "logit_bias": {key: 1}})
    ]
    assert refused == ["0300", "0x1"]


def test_every_default_lies_in_the_documented_domain() -> None:
    for dialect in DIALECTS.values():
        for path, value in dialect.defaults:
            for endpoint in dialect.endpoints:
                if not endpoint.can_stream:
                    continue
                nested: Any = value
                for name in reversed(path):
                    nested = {name: nested}
                found = errors(endpoint.request(ApiLimits()), nested)
                assert [error for error in found if error.absolute_path] == []


USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
ENVELOPE = {"id": "c", "created": 5, "model": "m", "usage": USAGE}


def completion(**logprobs: Any) -> Answer:
    assert COMPLETIONS
    choice = {"index": 0, "text": "ab", "finish_reason": "stop", "logprobs": logprobs}
    return OPENAI.read_answer(COMPLETIONS, ENVELOPE | {"object": "text_completion", "choices": [choice]})


def test_the_best_other_candidate_of_each_token_of_a_completion_is_read() -> None:
    candidates = [{"a": -1.0, "x": -2.0, "y": -3.0}, {"b": -0.5}]
    answer = completion(tokens=["a", "b"], token_logprobs=[-1.0, -0.5], top_logprobs=candidates)
    assert answer.choices[0].runners_up == (-2.0, None)


def test_candidates_of_a_completion_that_do_not_fit_its_tokens_are_left_out() -> None:
    answer = completion(tokens=["a", "b"], token_logprobs=[-1.0, -0.5], top_logprobs=[{"a": -1.0}])
    assert answer.choices[0].runners_up == ()
    assert completion(tokens=["a"], token_logprobs=[-1.0], top_logprobs=None).choices[0].runners_up == ()


def chat_scored(*candidates: Any) -> Answer:
    assert CHAT
    scores = [{"token": "a", "logprob": -1.0, "top_logprobs": list(candidates)}, {"token": "b", "logprob": -0.5}]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "ab"},
        "finish_reason": "stop",
        "logprobs": {"content": scores},
    }
    return OPENAI.read_answer(CHAT, ENVELOPE | {"object": "chat.completion", "choices": [choice]})


def test_the_best_other_candidate_of_each_token_of_a_chat_is_read() -> None:
    answer = chat_scored({"token": "a", "logprob": -1.0}, {"token": "x", "logprob": -2.0})
    assert answer.choices[0].runners_up == (-2.0, None)


def test_candidates_that_are_none_are_left_out() -> None:
    answer = chat_scored(7, {"token": ["x"], "logprob": -2.0}, {"token": "y", "logprob": "much"}, {"logprob": -3.0})
    assert answer.choices[0].runners_up == (None, None)
