"""The worker entry: JSON in, a verdict or a description out."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from fuzz.judge import Call, Description, Setup, serve
from fuzz.properties.model import Verdict
from targets.codec import encode
from targets.contract import Request, SamplingParams
from targets.errors import UsageError
from targets.trace import Arrival, Follow, Trace

GREEDY = SamplingParams(temperature=0.0, max_tokens=3)
REQUEST = Request(id="r", prompt=(40, 41, 42, 43, 44), sampling=GREEDY)


def answer(judge: Any, trace: Trace, codes: tuple[str, ...] | None) -> Verdict:
    payload = msgspec.json.encode(Call(case=msgspec.Raw(encode(trace)), codes=codes))
    return msgspec.json.decode(judge(payload), type=Verdict)


@pytest.fixture(scope="module")
def judge() -> Any:
    return serve(msgspec.json.encode(Setup(target="reference-hash")))


def test_properties_that_observe_judge_every_case(judge: Any) -> None:
    verdict = answer(judge, Trace(arrivals=(Arrival(request=REQUEST),)), ())

    assert {"P1", "P2", "P5", "P9", "P10", "P12", "P16", "P29"} <= set(verdict.checked)
    assert not verdict.violations
    assert verdict.features


def test_properties_that_relate_are_run_when_they_are_asked_for(judge: Any) -> None:
    verdict = answer(judge, Trace(arrivals=(Arrival(request=REQUEST),)), ("P17", "P11"))

    assert "P17" in verdict.checked
    assert "P11" in verdict.vacuous
    assert "P13" not in (*verdict.checked, *verdict.vacuous)


def test_without_codes_every_applicable_property_judges(judge: Any) -> None:
    verdict = answer(judge, Trace(arrivals=(Arrival(request=REQUEST),)), None)

    assert {"P3", "P13", "P15", "P20", "P36"} <= set(verdict.checked)
    assert not verdict.violations
    assert verdict.compared > 5


def test_a_derived_case_comes_back_literal(judge: Any) -> None:
    second = Arrival(request=Request(id="s", prompt=(7,), sampling=GREEDY), step=5, follow=Follow(request_id="r"))

    verdict = answer(judge, Trace(arrivals=(Arrival(request=REQUEST), second)), ())

    literal = msgspec.json.decode(verdict.literal, type=Trace)
    assert literal.arrivals[1].request.prompt == (*REQUEST.prompt, 7)
    assert literal.arrivals[1].follow is None


def test_a_description_says_what_applies_and_how_exact_it_is(judge: Any) -> None:
    found = msgspec.json.decode(judge(msgspec.json.encode(Call(describe=True))), type=Description)

    assert found.capabilities == ("Detokenizes", "InjectsFaults", "ReportsResources", "SavesState", "ScoresTokens")
    assert "P16" in found.observing
    assert "P13" in found.relating
    assert found.missing == {}
    assert found.eps["batch"] > 0
    assert {"python", "torch"} <= set(found.versions)


def test_a_setup_restricts_the_properties() -> None:
    judge = serve(msgspec.json.encode(Setup(target="reference-hash", codes=("P12", "p13"))))

    verdict = answer(judge, Trace(arrivals=(Arrival(request=REQUEST),)), None)

    assert {*verdict.checked, *verdict.vacuous} == {"P12", "P13"}


def test_an_unknown_property_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="P99"):
        serve(json.dumps({"target": "reference-hash", "codes": ["P99"]}).encode())


def test_an_unknown_target_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="refrence"):
        serve(b'{"target": "refrence"}')
