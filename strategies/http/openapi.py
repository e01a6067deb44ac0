"""Requests from a server's own OpenAPI document: what it calls valid, it must not break on."""

from __future__ import annotations

from random import Random
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from strategies.http.cases import judged
from strategies.http.space import HttpSpace
from targets.http.case import Exchange, HttpCase, Intent
from targets.http.dialects.model import Dialect, Json
from targets.http.openapi import request_schemas
from targets.http.wire import json_message

BATCH = 50
"""Cases that are drawn at a time."""


def schema_requests(document: Json, dialect: Dialect) -> st.SearchStrategy[HttpCase]:
    """Single requests whose bodies fit the document's schema of their path.

    A schema says less than the API does, so they may be refused; they are undecided, never valid. Raises `ValueError`
    if the document describes no `POST` of JSON to an endpoint that generates or embeds.
    """
    paths = sorted(request_schemas(document))
    if not paths:
        raise ValueError("the OpenAPI document describes no POST of a JSON body under /v1 or to an endpoint we know")
    schema = schemathesis.openapi.from_dict(document)
    return st.one_of([_requests(path, schema[path]["POST"], dialect) for path in paths])


def _requests(path: str, operation: Any, dialect: Dialect) -> st.SearchStrategy[HttpCase]:
    name = next((endpoint.name for endpoint in dialect.endpoints if endpoint.path == path), "")

    def case(found: Any) -> HttpCase:
        message = json_message(path, found.body, dialect.headers)
        exchange = Exchange(message=message, endpoint=name, intent=Intent.EITHER)
        return HttpCase(dialect=dialect.name, exchanges=(exchange,))

    drawn: st.SearchStrategy[HttpCase] = operation.as_strategy().map(case)
    return drawn


class SchemaCases:
    """Cases from a document one after the other, drawn in batches: a strategy is slow to draw from just once."""

    def __init__(self, document: Json, space: HttpSpace) -> None:
        self._space = space
        self._requests = schema_requests(document, space.dialect)
        self._drawn: list[HttpCase] = []

    def next(self, random: Random) -> HttpCase:
        """The next case; what the dialect documents about its request is proven as for any other."""
        if not self._drawn:
            self._drawn = _sample(self._requests, random.getrandbits(32))
        case = self._drawn.pop()
        [exchange] = case.exchanges
        if not exchange.endpoint:
            return case
        return HttpCase(dialect=case.dialect, exchanges=(judged(self._space, exchange),))


def _sample(requests: st.SearchStrategy[HttpCase], number: int) -> list[HttpCase]:
    found: list[HttpCase] = []

    @seed(number)
    @settings(
        max_examples=BATCH,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=False,
    )
    @given(requests)
    def collect(case: HttpCase) -> None:
        found.append(case)

    collect()
    return found
