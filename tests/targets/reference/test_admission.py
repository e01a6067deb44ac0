"""The engine's own checks against the documented domain, which was written apart from them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from targets.contract import Request, RequestRejected, SamplingParams
from targets.domain import DEFAULT_DOMAIN, breaches
from targets.json_schema import why_not
from targets.reference import LIMITS
from targets.reference.admission import admit
from targets.reference.sampling.grammar import SchemaError, grammar_of
from targets.reference.settings import EngineSettings

PLENTY = EngineSettings(total_blocks=1000)
VOCAB, CONTEXT = LIMITS.vocab_size, LIMITS.context_length

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, "", "7", (), [], {}, (1,), [1], {1: 1}),
        *(0, 1, 2, 3, 4, 5, -1, 16, 17, VOCAB - 1, VOCAB, VOCAB + 1, CONTEXT - 1, CONTEXT, 2**31, 2**63 - 1, 2**63),
        *(0.0, -0.0, 1.0, 0.5, 2.0, 2.0000001, -2.0, -2.1, 10.0, 10.1, 100.0, 101.0, 5e-324, 1e308, 1.5),
        *(float("nan"), float("inf"), float("-inf"), 10**400),
    ]
)
STOPS: st.SearchStrategy[Any] = st.one_of(
    ODD, st.lists(st.sampled_from(["a", "", "\ud800", None, 3]), max_size=18), st.just(("x",) * 17), st.just(["x"] * 16)
)
TOKENS: st.SearchStrategy[Any] = st.one_of(ODD, st.lists(ODD, max_size=4), st.lists(st.integers(0, VOCAB - 1)))
BIAS: st.SearchStrategy[Any] = st.one_of(
    ODD,
    st.dictionaries(st.sampled_from([0, 5, VOCAB, -1, True, "1"]), st.sampled_from([0, 100, -100.0, 101, True, "a"])),
    st.just(dict.fromkeys(range(VOCAB), 1.0)),
)
LENGTHS = st.sampled_from([0, 1, 2, 3, CONTEXT - 17, CONTEXT - 16, CONTEXT - 2, CONTEXT - 1, CONTEXT, CONTEXT + 1])
SIMPLE_SCHEMAS: st.SearchStrategy[Any] = st.one_of(
    ODD,
    st.dictionaries(st.sampled_from(["type", "minLength", "maxLength", "enum", "minimum"]), ODD, max_size=3),
    st.sampled_from(["null", "boolean", "integer", "string", "text"]).map(lambda name: {"type": name}),
    st.fixed_dictionaries({"type": st.just("string")}, optional={"minLength": ODD, "maxLength": ODD}),
    st.fixed_dictionaries({"enum": st.lists(st.one_of(ODD, st.sampled_from(["a", "\ud800"])), max_size=17)}),
)


def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        inner,
        st.fixed_dictionaries({"anyOf": st.one_of(ODD, st.lists(inner, max_size=3))}, optional={"enum": ODD}),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}, optional={"minItems": ODD, "maxItems": ODD}),
        st.fixed_dictionaries({"type": st.just("object"), "properties": st.dictionaries(st.sampled_from("ab"), inner)}),
    )


SCHEMAS = around(around(SIMPLE_SCHEMAS))
FIELDS = {"stop": STOPS, "stop_token_ids": TOKENS, "logit_bias": BIAS, "json_schema": SIMPLE_SCHEMAS}


@st.composite
def requests(draw: st.DrawFn) -> Request:
    names = draw(st.lists(st.sampled_from(SamplingParams.__struct_fields__), max_size=3, unique=True))
    sampling = msgspec.structs.replace(SamplingParams(), **{name: draw(FIELDS.get(name, ODD)) for name in names})
    prompt = draw(st.one_of(LENGTHS.map(lambda length: (5,) * length), TOKENS))
    request = Request(id="r", prompt=prompt, sampling=sampling)
    if draw(st.integers(0, 4)) == 0:
        field = draw(st.sampled_from(["id", "adapter", "cache_salt", "sampling"]))
        request = msgspec.structs.replace(request, **{field: draw(st.one_of(ODD, st.just("formal")))})
    return request


@settings(max_examples=300)
@given(requests())
def test_the_engine_refuses_exactly_what_the_domain_documents(request: Request) -> None:
    documented = breaches(request, DEFAULT_DOMAIN, LIMITS)
    refused = ""
    try:
        admit(request, LIMITS, PLENTY)
    except RequestRejected as rejection:
        refused = str(rejection)
    assert bool(refused) == bool(documented), f"engine: {refused or 'served'}; domain: {documented or 'valid'}"


def test_a_request_that_exactly_fits_the_pool_is_served() -> None:
    request = Request(id="r", prompt=(5,) * 10, sampling=SamplingParams(max_tokens=7))
    admit(request, LIMITS, EngineSettings(block_size=4, total_blocks=4))
    with pytest.raises(RequestRejected, match="4 blocks"):
        admit(request, LIMITS, EngineSettings(block_size=4, total_blocks=3))


def test_the_refusal_names_field_value_and_what_is_allowed() -> None:
    request = Request(id="r", prompt=(5,), sampling=SamplingParams(temperature=2.5))
    with pytest.raises(RequestRejected) as caught:
        admit(request, LIMITS, PLENTY)
    assert caught.value.field == "sampling.temperature"
    assert caught.value.value == 2.5
    assert "at most 2" in caught.value.allowed


@settings(max_examples=150)
@given(SCHEMAS)
def test_the_engine_takes_exactly_the_documented_schemas(schema: Any) -> None:
    try:
        grammar_of(schema)
        refused = False
    except (SchemaError, UnicodeEncodeError):
        refused = True

    assert refused is (why_not(schema) is not None)
