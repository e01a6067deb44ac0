"""Breaking what the reference executor refuses and accepts is seen by P4, P5 or P6."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fuzz.lab.lab import Lab
from fuzz.lab.verdict import judge
from fuzz.properties.registry import find
from targets.contract import Limits, Request, SamplingParams
from targets.reference import HASH, admission
from targets.reference.executor import ReferenceExecutor
from targets.reference.sampling import grammar
from targets.trace import Arrival, Defect


def test_p4_sees_that_a_nan_is_accepted(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(admission, "_check_number", lambda *_arguments, **_options: None)
    defect = Defect(name="temperature-nan", field="sampling.temperature", value="nan")

    assert signatures(make_trace(Arrival(request=make_request(), defect=defect)), "P4") == {
        "P4/accepted-sampling.temperature"
    }


def test_p6_sees_that_one_stop_string_too_many_is_accepted(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(admission, "MAX_STOP_STRINGS", 17)

    assert signatures(make_trace(make_request(stop=("x",))), "P6") == {"P6/accepted-sampling.stop"}


@pytest.mark.parametrize(
    ("name", "value", "seen"),
    [
        ("MAX_COUNT", 17, "accepted"),
        ("MAX_DEPTH", 5, "accepted"),
        ("MAX_CONSTANT", 2**53 + 1, "accepted"),
        ("MAX_COUNT", 15, "refused"),
        ("MAX_DEPTH", 3, "refused"),
        ("MAX_CONSTANT", 2**53 - 1, "refused"),
    ],
)
def test_p6_sees_that_a_limit_of_schemas_is_one_too_large_or_too_small(
    monkeypatch: pytest.MonkeyPatch,
    make_request: Any,
    make_trace: Any,
    signatures: Any,
    name: str,
    value: int,
    seen: str,
) -> None:
    monkeypatch.setattr(grammar, name, value)
    monkeypatch.setattr(grammar.grammar_of, "__defaults__", (grammar.MAX_DEPTH,))
    trace = make_trace(make_request(json_schema={"type": "null"}))

    assert signatures(trace, "P6") == {f"P6/{seen}-sampling.json_schema"}


def test_p4_sees_an_exception_that_is_no_refusal(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    def check(sampling: SamplingParams, _limits: Limits) -> None:
        raise IndexError(f"{sampling.stop} has no first character")

    monkeypatch.setattr(admission, "_check_stops", check)
    defect = Defect(name="stop-empty", field="sampling.stop", value="('',)")

    found = signatures(make_trace(Arrival(request=make_request(), defect=defect)), "P1", "P4")

    assert found == {"P4/raised-IndexError-admission.py:admit"}


def test_p4_sees_that_a_refusal_changes_its_neighbours(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    submit, sample = ReferenceExecutor.submit, ReferenceExecutor._sample

    def damaging(self: Any, request: Request) -> None:
        self.refused = request.prompt[0] < 0
        submit(self, request)

    def damaged(self: Any, *rows: Any) -> list[int | None]:
        return [7 for _ in rows[0]] if self.refused else sample(self, *rows)

    monkeypatch.setattr(ReferenceExecutor, "submit", damaging)
    monkeypatch.setattr(ReferenceExecutor, "_sample", damaged)
    defect = Defect(name="token-negative", field="prompt[0]", value="-1")

    trace = make_trace(
        make_request("a", max_tokens=6, ignore_eos=True), Arrival(request=make_request("b"), step=2, defect=defect)
    )

    assert signatures(trace, "P4") == {"P4/neighbour-tokens-differ"}


def test_p5_sees_that_a_valid_request_is_refused(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    check = admission._check_number
    monkeypatch.setattr(
        admission,
        "_check_number",
        lambda name, value, least, most, positive=False: check(name, value, least, most, positive or name == "min_p"),
    )

    assert signatures(make_trace(make_request()), "P5") == {"P5/refused-sampling.min_p"}


def test_p6_sees_that_true_passes_for_a_number(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    check = admission._check_integer
    monkeypatch.setattr(
        admission,
        "_check_integer",
        lambda name, value, *bounds: check(name, int(value) if value is True else value, *bounds),
    )

    found = signatures(make_trace(make_request(temperature=1.0, seed=3, top_k=5)), "P6")

    assert "P6/accepted-sampling.top_k" in found


def test_a_missing_check_of_a_field_is_one_cause_whichever_property_sees_it(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any
) -> None:
    monkeypatch.setattr(admission, "_check_number", lambda *_arguments, **_options: None)
    lab = Lab(HASH, "cpu", "float32")
    defect = Defect(name="temperature-nan", field="sampling.temperature", value="nan")

    invalid = judge(lab, make_trace(Arrival(request=make_request(), defect=defect)), [find("P4")])
    neighbours = judge(lab, make_trace(make_request(stop=("x",))), [find("P6")])

    for verdict in (invalid, neighbours):
        assert {found.cause for found in verdict.violations} == {"accepted-sampling.temperature"}


def causes(trace: Any, *codes: str) -> set[str]:
    verdict = judge(Lab(HASH, "cpu", "float32"), trace, [find(code) for code in codes])
    return {found.cause for found in verdict.violations}


def test_nan_that_passes_in_several_fields_is_one_cause(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any
) -> None:
    check = admission._check_number

    def mistaken(name: str, value: Any, *bounds: Any, **options: Any) -> None:
        if not (isinstance(value, float) and math.isnan(value)):
            check(name, value, *bounds, **options)

    monkeypatch.setattr(admission, "_check_number", mistaken)
    defect = Defect(name="temperature-nan", field="sampling.temperature", value="nan")
    assert causes(make_trace(Arrival(request=make_request(), defect=defect)), "P4") == {"accepted/finite"}
    assert causes(make_trace(make_request(temperature=1.0, seed=3, top_p=0.5)), "P6") == {"accepted/finite"}


def test_a_token_that_passes_in_several_fields_is_one_cause(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any
) -> None:
    monkeypatch.setattr(admission, "_check_token", lambda *_arguments: None)
    defects = (
        Defect(name="token-negative", field="prompt[0]", value="-1"),
        Defect(name="stop-token-negative", field="sampling.stop_token_ids", value="(-1,)"),
    )
    for defect in defects:
        assert "accepted/tokens" in causes(make_trace(Arrival(request=make_request(), defect=defect)), "P4")
    assert causes(make_trace(make_request(stop_token_ids=(5,))), "P6") == {"accepted/tokens"}
