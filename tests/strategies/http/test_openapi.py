from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings

from strategies.http.openapi import SchemaCases, schema_requests
from strategies.http.space import HttpSpace
from targets.http.api import HttpApi
from targets.http.case import Exchange, Intent
from targets.http.dialects.model import ApiLimits, Json
from targets.http.dialects.openai import OPENAI
from targets.http.dialects.schema import errors
from targets.http.openapi import document, request_schemas
from targets.http.wire import body_value

ITEM = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 3}}}
CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "server", "version": "1"},
    "paths": {
        "/v1/completions": {
            "post": {
                "requestBody": {"required": True, "content": CONTENT},
                "responses": {"200": {"description": "ok"}},
            },
        },
        "/v1/models": {"get": {"responses": {"200": {"description": "ok"}}}},
    },
    "components": {"schemas": {"Item": ITEM}},
}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema_requests(DOCUMENT, OPENAI).map(lambda case: case.exchanges[0]))
def test_bodies_fit_the_documents_schema(exchange: Exchange) -> None:
    assert (exchange.endpoint, exchange.intent) == ("completions", Intent.EITHER)
    assert errors(ITEM, body_value(exchange.message)) == []


def test_references_are_resolved_and_recursion_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}
    found = request_schemas(
        {"paths": {"/v1/a": {"post": {"requestBody": {"content": content}}}}, "components": {"schemas": {"Node": node}}}
    )
    assert found["/v1/a"]["properties"]["next"]["type"] == "object"


def test_a_document_without_requests_is_refused() -> None:
    with pytest.raises(ValueError, match="no POST"):
        schema_requests({}, OPENAI)


def test_a_dialect_has_a_document_of_its_own() -> None:
    found = document((OPENAI,), ApiLimits())
    assert set(found["paths"]) == {endpoint.path for endpoint in OPENAI.endpoints}
    assert set(request_schemas(found)) == {endpoint.path for endpoint in OPENAI.endpoints if endpoint.method == "POST"}


def test_paths_that_may_end_the_server_are_left_out() -> None:
    content: Json = {"application/json": {"schema": {}}}
    post = {"post": {"requestBody": {"content": content}}}
    assert set(request_schemas({"paths": {"/shutdown": post, "/v1/other": post, "/api/chat": post}})) == {
        "/v1/other",
        "/api/chat",
    }


def test_the_same_random_numbers_give_the_same_cases_and_their_intent_is_proven() -> None:
    space = HttpSpace(api=HttpApi(dialect="openai"))
    cases = [[SchemaCases(DOCUMENT, space).next(Random(1)) for _ in range(2)] for _ in range(2)]
    assert cases[0] == cases[1]
    assert {exchange.intent for case in cases[0] for exchange in case.exchanges} == {Intent.MALFORMED}
