"""A field that a server does not read is one cause: it takes bad values of it and does nothing with good ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from fuzz.lab.servers import ServerBench
from fuzz.properties.registry import find
from strategies.http.cases import judged
from strategies.http.space import HttpSpace
from targets.contract import SamplingParams
from targets.http.case import Exchange, HttpCase, Intent
from targets.http.locate import reference_target
from targets.http.wire import json_message
from targets.reference.server.openai import inputs, routes

TARGET = reference_target("openai")
CODES = ("H4", "H29", "H31")


@pytest.fixture
def ignored(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a field that the front end leaves at its default whatever is asked for."""
    name = str(request.param)

    def mistaken(front_end: Any, body: Any) -> SamplingParams:
        return inputs.completion_sampling(front_end, msgspec.structs.replace(body, **{name: None}))

    monkeypatch.setattr(routes, "completion_sampling", mistaken)
    return name


@pytest.fixture
def bench(ignored: str) -> Iterator[ServerBench]:
    bench = ServerBench(TARGET, "cpu", "float32", {})
    yield bench
    bench.close()


def asking(**options: Any) -> Exchange:
    body = {"model": "reference-hash", "prompt": "hi", "max_tokens": 4, "temperature": 0} | options
    return Exchange(message=json_message("/v1/completions", body), endpoint="completions")


def found(bench: ServerBench, exchange: Exchange) -> dict[str, str]:
    """Signatures with their causes."""
    case = HttpCase(dialect="openai", exchanges=(exchange,))
    return {one.signature: one.cause for one in bench.judge(case, list(map(find, CODES))).violations}


@pytest.mark.parametrize("ignored", ["n"], indirect=True)
def test_too_few_choices_and_a_bad_number_of_them_have_one_cause(bench: ServerBench) -> None:
    assert TARGET.api is not None
    assert found(bench, asking(n=2, temperature=1)) == {"H29/choice-count": "n is not read"}
    bad = judged(HttpSpace(api=TARGET.api), asking(n=100, temperature=1))
    assert bad.intent is Intent.MALFORMED
    assert found(bench, bad) == {"H4/accepted/out-of-range": "n is not read"}


@pytest.mark.parametrize("ignored", ["logit_bias"], indirect=True)
def test_a_bias_without_effect_and_a_bad_key_have_one_cause(bench: ServerBench) -> None:
    assert TARGET.api is not None
    assert found(bench, asking()) == {"H31/bias-ignored": "logit_bias is not read"}
    bad = judged(HttpSpace(api=TARGET.api), asking(logit_bias={"9999999": 1}))
    assert bad.intent is Intent.MALFORMED
    assert found(bench, bad) == {"H4/accepted/bad-key": "logit_bias is not read"}
