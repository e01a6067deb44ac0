"""Combinations are valid requests in which every two options of an endpoint meet."""

from __future__ import annotations

from random import Random

import pytest

from strategies.http.breaking.editing import json_of
from strategies.http.combinations import combined
from strategies.http.space import HttpSpace
from targets.http.api import HttpApi
from targets.http.case import Exchange
from targets.http.dialects import DIALECTS
from targets.http.dialects.model import ApiLimits, Json
from targets.http.families import FAMILIES
from targets.http.proof import prove

LIMITS = ApiLimits(model="m", vocab_size=280, context_length=256, bytes_per_token=6)
SMALL = ApiLimits(vocab_size=5, max_logprobs=0, max_top_logprobs=0, max_samples=1, max_stop=1, max_tokens=1)
OPENAI = HttpSpace(api=HttpApi(dialect="openai", limits=LIMITS))


def bodies(space: HttpSpace, endpoint: str) -> list[dict[str, Json]]:
    found = [json_of(one.message) for one in combined(space, Random(1)) if one.endpoint == endpoint]
    return [body for body in found if body is not None]


def proven(space: HttpSpace, exchange: Exchange) -> list[str]:
    return [defect.name for defect in prove(exchange, space.dialect, space.api.limits)]


@pytest.mark.parametrize("limits", [LIMITS, SMALL, ApiLimits()], ids=["reference", "small", "unknown"])
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_nothing_proves_a_combination_wrong(dialect: str, limits: ApiLimits) -> None:
    space = HttpSpace(api=HttpApi(dialect=dialect, limits=limits))
    exchanges = list(combined(space, Random(1)))
    assert exchanges
    assert [(one.message, names) for one in exchanges if (names := proven(space, one))] == []


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_endpoint_that_takes_a_body_has_its_combinations(dialect: str) -> None:
    space = HttpSpace(api=HttpApi(dialect=dialect, limits=LIMITS))
    assert {one.endpoint for one in combined(space, Random(1))} == {endpoint.name for endpoint in space.posting}


def test_several_prompts_meet_several_samples_and_a_stream() -> None:
    found = [body for body in bodies(OPENAI, "completions") if body["prompt"] == ["hello", "1, 2, 3,"]]
    assert any(body.get("n", 1) > 1 for body in found)
    assert any(body.get("stream") and "stream_options" in body for body in found)


def test_options_of_the_ollama_dialect_meet_among_its_options() -> None:
    space = HttpSpace(api=HttpApi(dialect="ollama", limits=LIMITS))
    assert any({"seed", "top_k", "top_p", "stop"} <= set(body["options"]) for body in bodies(space, "generate"))


def test_answers_without_a_limit_come_behind_a_prompt_that_leaves_little_room() -> None:
    assert LIMITS.context_length is not None
    unlimited = [body for body in bodies(OPENAI, "chat") if "max_tokens" not in body]
    assert unlimited
    assert all(len(body["messages"][0]["content"]) > LIMITS.context_length // 2 for body in unlimited)
    ollama = HttpSpace(api=HttpApi(dialect="ollama", limits=LIMITS))
    endless = [body for body in bodies(ollama, "generate") if body["options"]["num_predict"] == -1]
    assert endless
    assert all(len(body["prompt"]) > LIMITS.context_length // 2 for body in endless)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_what_a_server_does_not_support_is_left_out(dialect: str, family: str) -> None:
    known = FAMILIES[family]
    space = HttpSpace(api=HttpApi(dialect=dialect, limits=LIMITS, family=family))
    for exchange in combined(space, Random(1)):
        body = json_of(exchange.message) or {}
        assert not set(known.unsupported) & set(body)
        assert not (known.one_prompt and isinstance(body.get("prompt"), list))
