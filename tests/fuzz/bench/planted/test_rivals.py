from __future__ import annotations

import warnings
from typing import cast

import pytest
from hypothesis.errors import NonInteractiveExampleWarning

from fuzz.bench.planted.plain_exchanges import plain_exchanges
from fuzz.bench.planted.reader import reader
from fuzz.bench.planted.rivals import FUZZ_ONE_INPUT, PLAIN_HYPOTHESIS, engine_of, plain_traces
from fuzz.bench.planted.schema_testing import published
from fuzz.campaign.spaces import space_for
from targets import registry
from targets.domain import breaches
from targets.errors import UsageError
from targets.http.case import HttpCase
from targets.http.dialects import dialect_named
from targets.http.proof import prove
from targets.reference import HASH
from targets.trace import Trace


def test_plain_traces_are_independent_requests_with_names_of_their_own() -> None:
    strategy = plain_traces(HASH.limits)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonInteractiveExampleWarning)
        traces = [cast("Trace", strategy.example()) for _ in range(20)]

    requests = [arrival.request for trace in traces for arrival in trace.arrivals]
    assert all(arrival.follow is None for trace in traces for arrival in trace.arrivals)
    assert HASH.domain is not None
    assert not [request for request in requests if breaches(request, HASH.domain, HASH.limits)]


def test_an_engine_searches_the_whole_space_and_the_rival_its_own() -> None:
    space = space_for(HASH)

    assert engine_of("guided", space, HASH)[1] is space
    assert engine_of(PLAIN_HYPOTHESIS, space, HASH)[1] is not space


def test_no_rival_has_cases_for_graphs() -> None:
    graph = registry.find("graph")

    with pytest.raises(UsageError, match="plain-hypothesis has no cases for target 'graph'"):
        engine_of(PLAIN_HYPOTHESIS, space_for(graph), graph)


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "ollama"])
def test_plain_exchanges_prove_no_defect(dialect: str) -> None:
    api = registry.find(f"reference-{dialect}").api
    assert api is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonInteractiveExampleWarning)
        cases = [cast("HttpCase", plain_exchanges(api).example()) for _ in range(10)]

    exchanges = [exchange for case in cases for exchange in case.exchanges]
    assert not [found for one in exchanges if (found := prove(one, dialect_named(dialect), api.limits))]


def test_bytes_are_read_as_a_case_and_too_few_as_none() -> None:
    space = space_for(HASH)
    _, plain = engine_of(FUZZ_ONE_INPUT, space, HASH)
    seen: list[bytes] = []
    read = reader(plain, seen.append)
    read(b"")
    assert not seen
    read(bytes(4096))

    (case,) = seen
    assert cast("Trace", plain.decode(case)).arrivals


def test_a_published_document_names_the_model_and_allows_no_other_fields() -> None:
    api = registry.find("reference-openai").api
    assert api is not None
    body = published(api)["paths"]["/v1/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]

    assert body["properties"]["model"] == {"enum": ["reference-hash"]}
    assert body["additionalProperties"] is False
