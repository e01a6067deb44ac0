from __future__ import annotations

import msgspec
import pytest

from fuzz.properties.servers.asked import answers, company, repeatable_text
from targets.http.case import Exchange, HangUp, HttpCase, Intent
from targets.http.dialects.model import Json
from targets.http.wire import json_message


def exchange(endpoint: str = "completions", **body: Json) -> Exchange:
    return Exchange(message=json_message(f"/v1/{endpoint}", {"model": "m", **body}), endpoint=endpoint)


def case(*exchanges: Exchange) -> HttpCase:
    return HttpCase(dialect="openai", exchanges=exchanges)


@pytest.mark.parametrize("body", [{"temperature": 0}, {"temperature": 1, "seed": 7}])
def test_greedy_and_seeded_requests_are_repeatable(body: dict[str, Json]) -> None:
    assert repeatable_text(case(exchange(prompt="hi", **body)))


def test_a_draw_without_a_seed_is_not_repeatable() -> None:
    drawn = case(exchange(prompt="hi", temperature=1))
    assert not repeatable_text(drawn)
    assert answers(drawn)


def test_embeddings_are_no_text_but_may_have_company() -> None:
    embedded = case(exchange("embeddings", input=["a", "b"]))
    assert not repeatable_text(embedded)
    assert company(embedded)
    assert not company(case(exchange("embeddings", input="a"), exchange("embeddings", input=[1, 2])))


def test_one_request_has_no_company() -> None:
    greedy = exchange(prompt="hi", temperature=0)
    assert not company(case(greedy))
    assert company(case(greedy, greedy))


@pytest.mark.parametrize(
    ("prompt", "temperature", "several"),
    [(["a", "b"], 0, True), ([[5], [6]], 0, True), ([5, 6], 0, False), (["a"], 0, False), (["a", "b"], 1, False)],
)
def test_the_prompts_of_a_greedy_request_are_company(prompt: Json, temperature: int, several: bool) -> None:
    assert company(case(exchange(prompt=prompt, temperature=temperature))) is several


def test_nothing_is_asked_of_a_client_that_leaves_or_of_what_may_be_refused() -> None:
    greedy = exchange(prompt="hi", temperature=0)
    gone = msgspec.structs.replace(greedy, hang_up=HangUp(after_event=0))
    unsure = msgspec.structs.replace(greedy, intent=Intent.EITHER)
    assert not answers(case(gone, unsure))
    assert not repeatable_text(case(gone, unsure))
