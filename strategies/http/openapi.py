"""Requests from a server's own OpenAPI document: what it calls valid, it must not break on."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import strategies as st

from targets.http.case import Exchange, HttpCase, Intent
from targets.http.dialects.model import Dialect, Json
from targets.http.openapi import request_schemas
from targets.http.wire import json_message


def schema_requests(document: Json, dialect: Dialect) -> st.SearchStrategy[HttpCase]:
    """Single requests whose bodies fit the document's schema of their path.

    A schema says less than the API does, so they may be refused; they are undecided, never valid. Raises `ValueError`
    if the document describes no `POST` of JSON.
    """
    paths = sorted(request_schemas(document))
    if not paths:
        raise ValueError("the OpenAPI document describes no POST with a JSON body")
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
