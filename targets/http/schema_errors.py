"""Short stable names for what JSON Schema complains about."""

from __future__ import annotations

from typing import Any

from targets.http.case import HttpDefect

_NAMES = {
    "type": "wrong-type",
    "minimum": "too-small",
    "exclusiveMinimum": "too-small",
    "maximum": "too-large",
    "minLength": "empty",
    "minItems": "empty",
    "maxItems": "too-many",
    "enum": "unknown-value",
    "const": "unknown-value",
    "pattern": "bad-key",
}


def named(error: Any) -> HttpDefect:
    """The defect behind a `jsonschema` error: `temperature-too-large`, `messages.role-missing`, ..."""
    error = _innermost(error)
    path = [str(part) for part in error.absolute_path]
    field = ".".join(part for part in path if not part.isdigit()) or "body"
    if error.validator == "required":
        missing = next((name for name in error.validator_value if name not in error.instance), "field")
        return HttpDefect(name=f"{_join(field, missing)}-missing", place=".".join([*path, missing]))
    if error.validator == "if" or "then" in error.absolute_schema_path:
        return HttpDefect(name=f"{field}-inconsistent", place=".".join(path))
    # Every key of a logit bias is a field of its own, but it is one kind of defect.
    if "logit_bias" in field:
        field = "logit_bias"
    return HttpDefect(name=f"{field}-{_NAMES.get(error.validator, 'not-allowed')}", place=".".join(path))


def _join(field: str, name: str) -> str:
    return name if field == "body" else f"{field}.{name}"


def _innermost(error: Any) -> Any:
    """Through alternatives, to the complaint of the one that comes closest: that has the type of the value."""
    while error.validator == "anyOf" and error.context:
        branches: dict[int, list[Any]] = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        fitting = [
            found
            for found in branches.values()
            if not any(one.validator == "type" and one.absolute_path == error.absolute_path for one in found)
        ]
        if not fitting:
            return next(iter(branches.values()))[0] if len(branches) == 1 else _wrong_type(error)
        error = fitting[0][0]
    return error


def _wrong_type(error: Any) -> Any:
    return next((inner for inner in error.context if inner.validator == "type"), error)
