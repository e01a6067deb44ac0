from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from targets.contract import Limits, Request, SamplingParams
from targets.domain import DEFAULT_DOMAIN, breaches

LIMITS = Limits(vocab_size=100, context_length=32, max_logprobs=5, max_samples=2, adapters=("red",))


def judged(prompt: Any = (1, 2), **sampling: Any) -> list[str]:
    """Names of the fields found wrong; the fields are set without any validation."""
    params = msgspec.structs.replace(SamplingParams(), **sampling)
    request = msgspec.structs.replace(Request(id="a", prompt=()), prompt=prompt, sampling=params)
    return [breach.field for breach in breaches(request, DEFAULT_DOMAIN, LIMITS)]


def test_the_defaults_are_valid() -> None:
    assert judged() == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e-9, 2.0001, True, None, "1", [1]])
def test_a_temperature_outside_the_domain_is_found(value: object) -> None:
    assert judged(temperature=value) == ["sampling.temperature"]


@pytest.mark.parametrize("value", [0, 0.0, 1, 2.0])
def test_a_temperature_on_the_border_is_valid(value: float) -> None:
    assert judged(temperature=value) == []


def test_an_open_border_is_outside() -> None:
    assert judged(top_p=0.0) == ["sampling.top_p"]
    assert judged(repetition_penalty=0) == ["sampling.repetition_penalty"]


def test_true_is_not_an_integer() -> None:
    assert judged(max_tokens=True) == ["sampling.max_tokens"]
    assert judged(prompt=(1, True)) == ["prompt[1]"]


@pytest.mark.parametrize("token", [-1, 100, 2**63, 1.0, "7", None])
def test_an_id_outside_the_vocabulary_is_found_at_its_position(token: object) -> None:
    assert judged(prompt=(1, token, 2)) == ["prompt[1]"]


def test_an_empty_prompt_is_outside() -> None:
    assert judged(prompt=()) == ["prompt"]


def test_prompt_and_completion_must_fit_the_context() -> None:
    assert judged(prompt=tuple(range(31)), max_tokens=1) == []
    assert judged(prompt=tuple(range(31)), max_tokens=2) == ["sampling.max_tokens"]
    assert judged(prompt=tuple(range(32)), max_tokens=1) == ["prompt"]


def test_the_end_cannot_be_held_back_beyond_the_end() -> None:
    assert judged(min_tokens=3, max_tokens=2) == ["sampling.min_tokens"]


def test_several_samples_need_a_temperature() -> None:
    assert judged(n=2) == []
    assert judged(n=2, temperature=0.0) == ["sampling.n"]
    assert judged(n=3) == ["sampling.n"]


def test_an_empty_stop_string_is_outside() -> None:
    assert judged(stop=("a", "")) == ["sampling.stop"]


def test_a_bias_names_known_tokens_and_finite_numbers() -> None:
    assert judged(logit_bias={5: 1.0}) == []
    assert judged(logit_bias={100: 1.0}) == ["sampling.logit_bias"]
    assert judged(logit_bias={5: math.nan}) == ["sampling.logit_bias"]


def test_a_field_that_the_target_does_not_support_must_keep_its_default() -> None:
    domain = msgspec.structs.replace(DEFAULT_DOMAIN, supported=("temperature",))
    request = Request(id="a", prompt=(1,), sampling=SamplingParams(min_p=0.5))
    assert [breach.field for breach in breaches(request, domain, LIMITS)] == ["sampling.min_p"]


def test_a_salt_is_outside_where_salts_are_not_kept_apart() -> None:
    request = Request(id="a", prompt=(1,), cache_salt="tenant")
    without = msgspec.structs.replace(DEFAULT_DOMAIN, cache_salt=False)
    assert breaches(request, DEFAULT_DOMAIN, LIMITS) == ()
    assert [breach.field for breach in breaches(request, without, LIMITS)] == ["cache_salt"]


def test_an_unknown_adapter_is_found() -> None:
    request = Request(id="a", prompt=(1,), adapter="blue")
    assert [breach.allowed for breach in breaches(request, DEFAULT_DOMAIN, LIMITS)] == ["one of red"]


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from(SamplingParams.__struct_fields__), ANYTHING), ANYTHING)
def test_values_of_any_type_are_judged_without_an_exception(sampling: dict[str, Any], prompt: Any) -> None:
    judged(prompt, **sampling)


@pytest.mark.parametrize(
    ("field", "value", "check"),
    [
        ("top_p", float("nan"), "finite"),
        ("temperature", "1", "number"),
        ("top_k", True, "number"),
        pytest.param("top_k", -(10**400), "", id="huge"),
        ("stop_token_ids", (-1,), "tokens"),
        ("logit_bias", {-1: 1.0}, "tokens"),
        ("logit_bias", {1: float("inf")}, "finite"),
        pytest.param("prompt_logprobs", 10**400, "logprobs", id="huge-logprobs"),
    ],
)
def test_a_breach_names_the_check_that_several_fields_share(field: str, value: object, check: str) -> None:
    params = msgspec.structs.replace(SamplingParams(temperature=1.0), **{field: value})
    request = Request(id="a", prompt=(1,), sampling=params)
    (breach,) = breaches(request, DEFAULT_DOMAIN, LIMITS)
    assert (breach.field, breach.check) == (f"sampling.{field}", check)
