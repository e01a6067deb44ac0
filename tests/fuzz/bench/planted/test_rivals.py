from __future__ import annotations

import warnings
from typing import cast

import pytest
from hypothesis.errors import NonInteractiveExampleWarning

from fuzz.bench.planted.rivals import PLAIN_HYPOTHESIS, engine_of, plain_traces
from fuzz.campaign.spaces import space_for
from targets import registry
from targets.domain import breaches
from targets.errors import UsageError
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


def test_the_rival_is_for_executors_only() -> None:
    graph = registry.find("graph")

    with pytest.raises(UsageError, match="plain-hypothesis writes traces"):
        engine_of(PLAIN_HYPOTHESIS, space_for(graph), graph)
