"""Defects: one bad value in an otherwise valid request, proven to lie outside the documented domain."""

from __future__ import annotations

from string import Template
from typing import NamedTuple

from strategies.edge_values import MALFORMED, DefectValues
from strategies.source import Source
from strategies.space import Space
from targets.contract import Request
from targets.domain import Breach, breaches
from targets.trace import Defect, with_defect

DEFECTS: tuple[DefectValues, ...] = MALFORMED.defect
"""Every kind of defect: its name, the field, the bad values as literal text, and the bugs they stem from."""

ALWAYS = Defect(name="token-negative", field="prompt[0]", value="-1")
"""Invalid for every target and request; taken when several draws in a row turned out to be documented as valid."""

TRIES = 4


class BadValue(NamedTuple):
    """A kind of defect and one of its values, as it stands in the dictionary."""

    kind: DefectValues
    value: str


BAD_VALUES = tuple(BadValue(kind, value) for kind in DEFECTS for value in kind.values)


def draw_defect(source: Source, request: Request, space: Space) -> Defect:
    """A proven defect for this request."""
    for _ in range(TRIES):
        kind = source.choice(DEFECTS)
        # Values made from the target's own numbers lie right behind a border.
        borders = [value for value in kind.values if "$" in value]
        value = source.choice(borders if borders and source.boolean(0.5) else kind.values)
        if (defect := defect_of(source, BadValue(kind, value), request, space)) is not None:
            return defect
    return ALWAYS


def defect_of(source: Source, bad: BadValue, request: Request, space: Space) -> Defect | None:
    """The value put into this request; None if it is documented as valid there."""
    text = filled(bad.value, request, space)
    defect = Defect(name=bad.kind.name, field=placed(source, bad.kind.field, request), value=text)
    return defect if prove(request, defect, space) else None


def prove(request: Request, defect: Defect, space: Space) -> tuple[Breach, ...]:
    """The breaches of the request as it is sent, with the defect's literal parsed back; empty if it is valid."""
    return breaches(with_defect(request, defect), space.domain, space.limits)


def placed(source: Source, field: str, request: Request) -> str:
    """The field path, with a defect of one token put anywhere in the prompt."""
    if field != "prompt[0]" or len(request.prompt) < 2:
        return field
    return f"prompt[{source.integer(0, len(request.prompt) - 1)}]"


def filled(text: str, request: Request, space: Space) -> str:
    """The literal text with the target's own numbers in place of `$names`."""
    return Template(text).substitute(_Numbers(request, space)) if "$" in text else text


class _Numbers(dict[str, str]):
    """Names in a dictionary value to literal text; only those asked for are computed."""

    def __init__(self, request: Request, space: Space) -> None:
        super().__init__()
        self._request = request
        self._space = space

    def __missing__(self, name: str) -> str:
        return number(name, self._request, self._space)


def number(name: str, request: Request, space: Space) -> str:
    """Literal text of a named number or structure of this target. Raises `KeyError` for an unknown name."""
    limits = space.limits
    match name:
        case "vocab":
            return str(limits.vocab_size)
        case "vocab_plus_1":
            return str(limits.vocab_size + 1)
        case "context":
            return str(limits.context_length)
        case "room_plus_1":
            return str(limits.context_length - len(request.prompt) + 1)
        case "max_tokens_plus_1":
            return str(request.sampling.max_tokens + 1)
        case "samples_plus_1":
            return str(limits.max_samples + 1)
        case "logprobs_plus_1":
            return str(limits.max_logprobs + 1)
        case "full_prompt":
            return repr((1,) * limits.context_length)
        case "long_prompt":
            return repr((1,) * min(2 * limits.context_length, limits.context_length + 4096))
        case "many_stops":
            return repr(tuple(f"{entry}" for entry in range(space.domain.max_stop + 1)))
        case "many_biases":
            return repr(dict.fromkeys(range(space.domain.max_logit_bias + 1), 1.0))
    raise KeyError(name)
