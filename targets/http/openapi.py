"""The documented domain of a dialect as an OpenAPI document, and request schemas out of a server's own one."""

from __future__ import annotations

from typing import Any

from targets.http.dialects import DIALECTS
from targets.http.dialects.model import ApiLimits, Dialect, Json

_VERSION = "3.1.0"
_DEPTH = 32
_ENDPOINTS = frozenset(endpoint.path for dialect in DIALECTS.values() for endpoint in dialect.endpoints)
OFFERED_AT = "/openapi.json"
"""Where servers offer their own document."""


def document(dialects: tuple[Dialect, ...], limits: ApiLimits) -> Json:
    """An OpenAPI 3.1 document with a path for every endpoint."""
    paths: dict[str, Json] = {}
    for endpoint in (endpoint for dialect in dialects for endpoint in dialect.endpoints):
        operation: dict[str, Json] = {
            "operationId": endpoint.name,
            "responses": {"200": {"description": "answer"}, "4XX": {"description": "refusal"}},
        }
        if endpoint.method == "POST":
            content = {"application/json": {"schema": endpoint.request(limits)}}
            operation["requestBody"] = {"required": True, "content": content}
        paths[endpoint.path] = {endpoint.method.lower(): operation}
    return {
        "openapi": _VERSION,
        "info": {"title": ", ".join(dialect.name for dialect in dialects), "version": "1"},
        "paths": paths,
    }


def request_schemas(found: Json) -> dict[str, Json]:
    """Path to the JSON Schema of its `POST` body, references resolved; other operations are left out.

    So are paths outside of `/v1` that are no endpoint of a dialect: a server may unload its model or end itself there.
    Recursive schemas are cut off after 32 levels, below which anything is allowed.
    """
    schemas: dict[str, Json] = {}
    paths = found.get("paths", {}) if isinstance(found, dict) else {}
    for path, operations in paths.items():
        if not path.startswith("/v1/") and path not in _ENDPOINTS:
            continue
        body: Any = operations
        for name in ("post", "requestBody", "content", "application/json", "schema"):
            body = body.get(name) if isinstance(body, dict) else None
        if body is not None:
            schemas[path] = _resolved(body, found, _DEPTH)
    return schemas


def _resolved(schema: Json, root: Json, depth: int) -> Json:
    if depth == 0:
        return {}
    if isinstance(schema, list):
        return [_resolved(item, root, depth) for item in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        return _resolved(_at(root, reference), root, depth - 1)
    return {name: _resolved(inner, root, depth - 1) for name, inner in schema.items()}


def _at(root: Json, reference: str) -> Json:
    for part in reference.removeprefix("#/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        root = root.get(name, {}) if isinstance(root, dict) else {}
    return root
