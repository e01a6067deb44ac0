"""Biases that lead a constrained answer: along a document that fits its schema, to its end, or to one step more."""

from __future__ import annotations

import json
from typing import Any

from strategies.schemas import Schema
from strategies.source import Source
from strategies.space import Space
from targets.contract import Bound
from targets.domain import within

INTEGERS = (0, 1, -1, 12, -205)
CHARACTERS = "axé "
ASIDE = b'",]}x0'
"""What ends a value, begins another one, or is one too much."""
STRENGTHS = (90.0, 80.0, 60.0, 40.0)
"""Of two biased tokens that are both allowed the stronger one is chosen, whatever the model says."""
END = (100.0, 50.0)
"""The same for the end of the sequence."""
FURTHER = 2
"""Entries above the least number where there is no largest one."""


def draw_steering(source: Source, space: Space, schema: Schema) -> dict[int, float]:
    """One to five biased tokens; none where the vocabulary is not byte-level, or the domain wants smaller biases."""
    domain = space.domain
    fits = within(max(END), domain.bounds.get("logit_bias", Bound()), integer=False)
    if not space.pieces or not fits or domain.max_logit_bias <= len(STRENGTHS):
        return {}
    written = json.dumps(draw_document(source, schema), ensure_ascii=False, separators=(",", ":")).encode()
    choices = [space.first_byte + byte for byte in dict.fromkeys(written + ASIDE)]
    strengths = STRENGTHS[: source.integer(1, len(STRENGTHS))]
    chosen = {source.choice(choices): strength for strength in strengths}
    ends = space.limits.eos_token_ids
    return chosen | {ends[0]: source.choice(END)} if ends and source.boolean(0.4) else chosen


def draw_document(source: Source, schema: Schema) -> Any:
    """A JSON value that fits a valid schema."""
    if "enum" in schema:
        return source.choice(schema["enum"])
    if "anyOf" in schema:
        return draw_document(source, source.choice(schema["anyOf"]))
    match schema["type"]:
        case "boolean":
            return source.boolean()
        case "integer":
            return source.choice(INTEGERS)
        case "string":
            count = _count(source, schema.get("minLength", 0), schema.get("maxLength"))
            return "".join(source.choice(CHARACTERS) for _ in range(count))
        case "array":
            count = _count(source, schema.get("minItems", 0), schema.get("maxItems"))
            return [draw_document(source, schema["items"]) for _ in range(count)]
        case "object":
            return {name: draw_document(source, value) for name, value in schema["properties"].items()}
    return None


def _count(source: Source, least: int, most: int | None) -> int:
    return source.integer(least, least + FURTHER if most is None else min(most, least + FURTHER))
