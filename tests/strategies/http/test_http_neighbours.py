"""Beside a case lie its requests alone, in company of their own kind, and told otherwise; nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from strategies.http.breaking.editing import json_of
from strategies.http.cases import judged
from strategies.http.neighbours import neighbours
from strategies.http.space import HttpSpace
from targets.http.api import HttpApi
from targets.http.case import Exchange, HangUp, HttpCase
from targets.http.dialects.model import ApiLimits
from targets.http.wire import json_message

SPACE = HttpSpace(api=HttpApi(dialect="openai", limits=ApiLimits(model="m", vocab_size=300, context_length=64)))


def asking(prompt: Any, **more: Any) -> Exchange:
    body = {"model": "m", "prompt": prompt, "max_tokens": 4, **more}
    return Exchange(message=json_message("/v1/completions", body), endpoint="completions")


def beside(*exchanges: Exchange) -> list[tuple[list[Any], bool]]:
    """Prompts of the exchanges of each neighbour, and whether they are sent at once."""
    case = HttpCase(dialect="openai", exchanges=exchanges)
    return [
        ([(json_of(one.message) or {})["prompt"] for one in found.exchanges], found.concurrent)
        for found in neighbours(case, SPACE)
    ]


def test_a_request_lies_beside_itself_several_times_at_once_and_with_its_prompt_several_times() -> None:
    assert beside(asking("hi")) == [
        (["hi"], False),
        (["hi"] * 2, True),
        (["hi"] * 3, True),
        ([["hi"] * 3], False),
        ([["hi"] * 3] * 2, True),
        ([["hi"] * 3] * 3, True),
        (["hi"], False),
    ]


def test_a_stream_lies_beside_an_answer_at_once_and_that_with_log_probabilities_beside_a_stream() -> None:
    def last(exchange: Exchange) -> dict[str, Any] | None:
        *_, found = neighbours(HttpCase(dialect="openai", exchanges=(exchange,)), SPACE)
        return json_of(found.exchanges[0].message)

    at_once, stream = asking("hi"), asking("hi", stream=True, stream_options={"include_usage": True})
    assert last(at_once) == json_of(asking("hi", stream=True).message)
    assert last(stream) == json_of(asking("hi", stream=False, logprobs=2).message)


@pytest.mark.parametrize(("prompt", "single"), [(["a", "b"], "a"), ([[5, 6], [7]], [5, 6])])
def test_of_several_prompts_the_first_lies_beside_them(prompt: Any, single: Any) -> None:
    assert ([single] * 2, True) in beside(asking(prompt))


def test_a_list_of_numbers_is_one_prompt() -> None:
    assert ([[[5, 6]] * 3], False) in beside(asking([5, 6]))


def test_options_stay_and_clients_do_too() -> None:
    case = HttpCase(dialect="openai", exchanges=(Exchange(message=asking("hi").message, endpoint="completions"),))
    leaving = HttpCase(
        dialect="openai",
        exchanges=(
            Exchange(message=asking("hi", stop="x").message, endpoint="completions", hang_up=HangUp(after_byte=0)),
        ),
    )
    found = [exchange for one in neighbours(leaving, SPACE) for exchange in one.exchanges]
    assert not any(exchange.hang_up for exchange in found)
    assert all((json_of(exchange.message) or {})["stop"] == "x" for exchange in found)
    assert not any("stop" in (json_of(one.exchanges[0].message) or {}) for one in neighbours(case, SPACE))


def test_a_malformed_request_has_no_neighbours() -> None:
    broken = judged(SPACE, asking("hi", temperature=9))
    assert broken.defect is not None
    assert beside(broken) == []


def test_beside_a_chat_lie_plain_completions_of_its_last_message() -> None:
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    body = {"model": "m", "messages": messages, "max_tokens": 4, "temperature": 0, "logprobs": True}
    chat = Exchange(message=json_message("/v1/chat/completions", body), endpoint="chat")
    found = [
        (len(case.exchanges), json_of(case.exchanges[0].message))
        for case in neighbours(HttpCase(dialect="openai", exchanges=(chat,)), SPACE)
        if case.exchanges[0].endpoint == "completions"
    ]
    plain = {"model": "m", "max_tokens": 4, "temperature": 0}
    assert found == [(copies, {**plain, "prompt": prompt}) for prompt in ("hi", ["hi"] * 3) for copies in (1, 2, 3)]
