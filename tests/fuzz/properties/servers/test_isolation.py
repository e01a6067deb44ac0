"""H11 on the prompts of one request, on the reference front end: it holds, and a prompt answered as another is seen."""

from __future__ import annotations

from typing import Any

import pytest

from fuzz.lab.servers import ServerBench
from fuzz.properties.model import Verdict
from fuzz.properties.registry import find
from targets.http.case import Exchange, HttpCase, Intent
from targets.http.locate import reference_target
from targets.http.wire import json_message


def verdict(**body: Any) -> Verdict:
    asked = {"model": "reference-hash", "prompt": ["hi", "there"], "temperature": 0, **body}
    message = json_message("/v1/completions", asked)
    case = HttpCase(
        dialect="openai", exchanges=(Exchange(message=message, endpoint="completions", intent=Intent.VALID),)
    )
    bench = ServerBench(reference_target("openai"), "cpu", "float32", {})
    try:
        return bench.judge(case, [find("H11")])
    finally:
        bench.close()


@pytest.mark.parametrize("stream", [False, True])
def test_the_front_end_answers_each_prompt_as_if_it_were_alone(stream: bool) -> None:
    found = verdict(max_tokens=4, stream=stream)
    assert (found.violations, found.checked, found.compared) == ((), ("H11",), 2)


@pytest.mark.usefixtures("last_prompt_wins")
@pytest.mark.parametrize("stream", [False, True])
def test_h11_sees_a_prompt_that_is_answered_as_another(stream: bool) -> None:
    assert {one.signature for one in verdict(max_tokens=4, stream=stream).violations} == {"H11/text-differ"}


@pytest.mark.usefixtures("last_prompt_wins")
def test_draws_and_answers_whose_length_the_prompts_decide_are_not_compared() -> None:
    assert verdict(max_tokens=4, temperature=1, seed=1).violations == ()
    assert verdict(prompt=["a", "a long prompt"]).violations == ()
