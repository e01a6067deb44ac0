from __future__ import annotations

import math

import pytest

from targets.contract import Request
from targets.trace import Arrival, Defect, Follow, Trace, is_literal, parse_literal, with_defect

REQUEST = Request(id="a", prompt=(1, 2, 3))


def test_a_literal_may_hold_nan_and_infinity() -> None:
    values = parse_literal("[nan, inf, -inf, 1]")
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf, 1]


def test_a_literal_may_be_nested() -> None:
    assert parse_literal("{7: (1, 'x', None, True)}") == {7: (1, "x", None, True)}


@pytest.mark.parametrize("text", ["open('x')", "__import__", "1 + 1", "a.b"])
def test_a_literal_runs_no_code(text: str) -> None:
    with pytest.raises(ValueError, match="is not a literal value"):
        parse_literal(text)


def test_a_defect_replaces_one_sampling_field() -> None:
    broken = with_defect(REQUEST, Defect(name="n", field="sampling.temperature", value="'hot'"))
    assert repr(broken.sampling.temperature) == "'hot'"
    assert broken.prompt == REQUEST.prompt


def test_a_defect_replaces_one_prompt_token() -> None:
    assert with_defect(REQUEST, Defect(name="n", field="prompt[1]", value="-1")).prompt == (1, -1, 3)


def test_a_defect_in_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"unknown field 'sampling\.heat'"):
        with_defect(REQUEST, Defect(name="n", field="sampling.heat", value="1"))


def test_a_trace_with_a_derived_prompt_is_not_literal() -> None:
    plain = Arrival(request=REQUEST)
    derived = Arrival(request=Request(id="b", prompt=()), follow=Follow(request_id="a"))
    assert is_literal(Trace(arrivals=(plain,)))
    assert not is_literal(Trace(arrivals=(plain, derived)))
