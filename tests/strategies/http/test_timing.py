"""Where time decides in a case, requests can be made to run long, whatever they draw; elsewhere nothing is done."""

from __future__ import annotations

from typing import Any

import pytest

from fuzz.campaign.spaces import HttpCaseSpace
from strategies.http.breaking.editing import json_of
from strategies.http.deterministic import DeterministicStage
from strategies.http.space import HttpSpace
from strategies.http.timing import (
    MANY_TOKENS,
    OVERLAPPING_TOKENS,
    as_steady,
    chances,
    depends_on_time,
    longest,
    steadier,
    unstopped,
)
from targets.http.api import HttpApi
from targets.http.case import Exchange, HangUp, HttpCase, HttpDefect, Intent
from targets.http.dialects.model import ApiLimits
from targets.http.wire import json_message

LIMITS = ApiLimits(model="m", vocab_size=300, context_length=512)
SPACE = HttpSpace(api=HttpApi(dialect="openai", limits=LIMITS))
LEAVING = HangUp(after_byte=0)


def asking(prompt: Any = "hi", hang_up: HangUp | None = None, **more: Any) -> Exchange:
    body = {"model": "m", "prompt": prompt, "max_tokens": 4, **more}
    return Exchange(message=json_message("/v1/completions", body), endpoint="completions", hang_up=hang_up)


def case_of(*exchanges: Exchange, concurrent: bool = False) -> HttpCase:
    return HttpCase(dialect="openai", exchanges=exchanges, concurrent=concurrent)


def body_of(exchange: Exchange) -> dict[str, Any]:
    return json_of(exchange.message) or {}


def test_requests_one_after_another_leave_nothing_to_time() -> None:
    case = case_of(asking(), asking(temperature=1))
    assert not depends_on_time(case)
    assert chances(case, SPACE) == 0


@pytest.mark.parametrize(
    "case",
    [
        case_of(asking(), asking(), concurrent=True),
        case_of(asking(["a", "b"])),
        case_of(asking(hang_up=LEAVING)),
    ],
    ids=["at-once", "several-prompts", "leaves"],
)
def test_time_decides_where_something_runs_beside_something_else_or_a_client_leaves(case: HttpCase) -> None:
    assert depends_on_time(case)
    assert HttpCaseSpace(SPACE, DeterministicStage(SPACE)).depends_on_time(case)
    assert chances(case, SPACE) > 0


def test_each_draw_stop_string_and_short_answer_is_a_chance() -> None:
    sure = asking(temperature=0, max_tokens=OVERLAPPING_TOKENS)
    assert chances(case_of(sure, sure, concurrent=True), SPACE) == 0
    drawing = asking(temperature=1, stop="x", max_tokens=4)
    assert chances(case_of(sure, drawing, concurrent=True), SPACE) == 3


def test_the_steadiest_form_comes_first_and_then_its_parts() -> None:
    drawing = asking(temperature=1, stop="x", max_tokens=4)
    whole, *parts = [body_of(one) for one in steadier(drawing, SPACE)]
    assert (whole["temperature"], whole["stop"], whole["max_tokens"]) == (0, [], OVERLAPPING_TOKENS)
    assert [(one["temperature"], one["stop"], one["max_tokens"]) for one in parts] == [
        (0, "x", 4),
        (1, [], 4),
        (1, "x", OVERLAPPING_TOKENS),
    ]


def test_who_leaves_asks_for_more_than_who_stays() -> None:
    leaving = next(iter(steadier(asking(temperature=0, hang_up=LEAVING), SPACE)))
    assert body_of(leaving)["max_tokens"] == MANY_TOKENS


def test_several_samples_get_a_seed_since_the_best_token_would_make_them_alike() -> None:
    body = body_of(next(iter(steadier(asking(temperature=1, n=2), SPACE))))
    assert (body["temperature"], body["seed"]) == (1, 1)


def test_a_request_takes_from_another_only_what_is_steady_there() -> None:
    drawing = asking(temperature=1, stop="x", max_tokens=4)
    unstopped_only = asking(temperature=1, max_tokens=4)
    body = body_of(as_steady(drawing, unstopped_only, SPACE))
    assert (body["temperature"], body["stop"], body["max_tokens"]) == (1, [], 4)


def test_a_broken_request_stays_as_it_is() -> None:
    broken = Exchange(
        message=json_message("/v1/completions", {"model": "m", "prompt": "hi", "max_tokens": 4, "temperature": "warm"}),
        endpoint="completions",
        intent=Intent.MALFORMED,
        defect=HttpDefect(name="wrong-type"),
    )
    assert not list(steadier(broken, SPACE))


def test_a_longer_answer_fits_behind_its_prompt() -> None:
    tight = HttpSpace(api=HttpApi(dialect="openai", limits=ApiLimits(model="m", vocab_size=300, context_length=80)))
    body = {"model": "m", "prompt": "a" * 30, "max_tokens": 4}
    assert 4 < int(str(longest(tight, body)["max_tokens"])) <= 50
    assert longest(tight, {**body, "max_tokens": 300})["max_tokens"] == 300, "what asks for more already stays"


def test_stop_strings_are_taken_away_only_where_there_are_any() -> None:
    plain = {"model": "m", "prompt": "hi"}
    assert unstopped(SPACE, plain) is plain
    assert unstopped(SPACE, {**plain, "stop": ["x"]})["stop"] == []
