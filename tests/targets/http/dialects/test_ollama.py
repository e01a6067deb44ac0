from __future__ import annotations

import json
from typing import Any

import pytest

from targets.http.dialects.model import Answer
from targets.http.dialects.ollama import OLLAMA

GENERATE = OLLAMA.endpoint("generate")
assert GENERATE


def line(response: str, done: bool = False, **more: Any) -> str:
    return json.dumps({"model": "m", "created_at": "t", "response": response, "done": done, **more}) + "\n"


FINAL = line("", done=True, done_reason="length", prompt_eval_count=2, eval_count=3)


def read(text: str) -> Answer:
    assert GENERATE
    return OLLAMA.read_stream(GENERATE, text.encode(), {})


def test_a_good_stream_has_text_reason_and_usage() -> None:
    answer = read(line("a") + line("b") + FINAL)
    assert answer.problems == ()
    assert (answer.choices[0].text, answer.choices[0].finish) == ("ab", "length")
    assert answer.usage is not None and (answer.usage.prompt, answer.usage.completion) == (2, 3)


@pytest.mark.parametrize(
    ("stream", "slug"),
    [
        (line("a"), "no-done"),
        (line("a") + FINAL + FINAL, "done-twice"),
        (line("a") + FINAL + line("b"), "after-done"),
        (line("a") + FINAL.rstrip("\n"), "line-unended"),
        (line("a") + "{\n" + FINAL, "line-not-json"),
        (line("a").replace('"response"', '"message"') + FINAL, "line-shape"),
        ('{"error": "x"}\n' + FINAL, "after-error"),
    ],
)
def test_each_breach_of_the_stream_grammar_is_named(stream: str, slug: str) -> None:
    assert slug in {problem.slug for problem in read(stream).problems}


def test_an_error_line_may_end_a_stream() -> None:
    answer = read(line("a") + '{"error": "boom"}\n')
    assert (answer.error, answer.problems) == ("boom", ())


def test_an_error_is_a_text() -> None:
    assert OLLAMA.read_error({"error": "no"}, 400).message == "no"
    assert OLLAMA.read_error({"error": {"message": "no"}}, 400).problems[0].slug == "envelope"
