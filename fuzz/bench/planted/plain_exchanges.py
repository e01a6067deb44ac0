"""The HTTP cases that one writes down at once: valid requests with the usual options, one to three of them."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import strategies as st

from fuzz.engines.model import Case
from targets.http.api import HttpApi
from targets.http.case import Exchange, HttpCase
from targets.http.dialects import dialect_named
from targets.http.dialects.model import Endpoint, EndpointKind, Json
from targets.http.wire import json_message

Bodies = st.SearchStrategy[dict[str, Json]]

_TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
_TEMPERATURES = st.sampled_from([0, 0.7, 1.0])
_PENALTIES = st.floats(-2.0, 2.0)
_LENGTHS = st.integers(1, 24)
_SEEDS = st.integers(0, 1000)
_STOPS = st.lists(_TEXTS, max_size=2)


def plain_exchanges(api: HttpApi) -> st.SearchStrategy[Case]:
    """Cases in the dialect of a server, one request after the other or all at once."""
    dialect = dialect_named(api.dialect)
    requests = [_requests(endpoint, api) for endpoint in dialect.endpoints if endpoint.method == "POST"]
    cases = st.builds(
        HttpCase,
        dialect=st.just(api.dialect),
        exchanges=st.lists(st.one_of(requests), min_size=1, max_size=3).map(tuple),
        concurrent=st.booleans(),
    )
    return cast("st.SearchStrategy[Case]", cases)


def _requests(endpoint: Endpoint, api: HttpApi) -> st.SearchStrategy[Exchange]:
    headers = dialect_named(api.dialect).headers

    def exchange(body: dict[str, Json]) -> Exchange:
        return Exchange(message=json_message(endpoint.path, body, headers), endpoint=endpoint.name)

    return _bodies(endpoint, api).map(exchange)


def _bodies(endpoint: Endpoint, api: HttpApi) -> Bodies:
    model = {"model": st.just(api.limits.model)}
    if endpoint.kind is EndpointKind.EMBED:
        return st.fixed_dictionaries(model | {"input": _TEXTS | st.lists(_TEXTS, min_size=1, max_size=3)})
    if endpoint.kind is EndpointKind.COMPLETE:
        prompt: dict[str, st.SearchStrategy[Json]] = {"prompt": _TEXTS}
    else:
        turns = st.fixed_dictionaries({"role": st.just("user"), "content": _TEXTS})
        prompt = {"messages": st.lists(turns, min_size=1, max_size=2)}
    required, optional = _OPTIONS[api.dialect]
    return st.fixed_dictionaries(model | prompt | required, optional=optional)


_OLLAMA = st.fixed_dictionaries(
    {"num_predict": _LENGTHS, "temperature": _TEMPERATURES},
    optional={"seed": _SEEDS, "stop": _STOPS, "top_k": st.integers(1, 40), "top_p": st.floats(0.1, 1.0)},
)
_OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "openai": (
        {"max_tokens": _LENGTHS, "temperature": _TEMPERATURES},
        {
            "top_p": st.floats(0.1, 1.0),
            "seed": _SEEDS,
            "stop": _STOPS,
            "stream": st.booleans(),
            "presence_penalty": _PENALTIES,
            "frequency_penalty": _PENALTIES,
        },
    ),
    "anthropic": (
        {"max_tokens": _LENGTHS, "temperature": _TEMPERATURES},
        {"top_k": st.integers(1, 40), "stop_sequences": _STOPS, "stream": st.booleans(), "system": _TEXTS},
    ),
    "ollama": ({"options": _OLLAMA}, {"stream": st.booleans()}),
}
"""Fields that every body has, and fields that it may have."""
