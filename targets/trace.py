"""Traces: requests plus the scheduler step at which each arrives or is aborted."""

from __future__ import annotations

import ast
from typing import Any

import msgspec

from targets.contract import KnobValue, Request

MAX_STEP = 100_000
"""Arrivals later than this are refused on decode: a trace is minutes of scheduler steps, not days."""


class Follow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Prompt derived from an earlier request: its prompt, then part of its completion, then the own prompt."""

    request_id: str
    keep: int | None = None
    """Length of the earlier prompt that is kept; None keeps all of it."""
    completion: int = 0
    """Tokens of the earlier request's greedy or seeded completion that are appended; -1 appends all."""


class StopCut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A stop string, or two, cut out of the text that the request would produce without."""

    start: int
    """Character offset into the text, taken modulo its length."""
    length: int
    """Characters; cut off at the end of the text."""
    pair: bool = False
    """Two stop strings instead: the last two characters of the longest piece that comes at once, the later one first.

    Where no piece has two different characters, the place counts.
    """


class Defect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One named violation of the documented domain, put into an otherwise valid request."""

    name: str
    """What is wrong, such as `temperature-nan`."""
    field: str
    """Dotted path: `prompt`, `prompt[3]`, `id`, or `sampling.<field>`."""
    value: str
    """The bad value as Python literal text; `nan`, `inf` and `-inf` are allowed inside it."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One request of a trace and its schedule."""

    request: Request
    step: int = 0
    """Scheduler step before which it is submitted (0 is before the first step)."""
    abort: int | None = None
    """Scheduler step before which it is aborted; earlier than `step` aborts an id nobody knows yet."""
    follow: Follow | None = None
    stop_cut: StopCut | None = None
    defect: Defect | None = None


class Trace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="trace"):
    """A case for an executor: related requests in time, and the knob settings they run with."""

    arrivals: tuple[Arrival, ...]
    knobs: dict[str, KnobValue] = {}

    def __post_init__(self) -> None:
        ids = [arrival.request.id for arrival in self.arrivals]
        if len(set(ids)) != len(ids):
            repeated = next(name for name in ids if ids.count(name) > 1)
            raise ValueError(f"request id {repeated!r} occurs twice; every request of a trace has its own id")
        for arrival in self.arrivals:
            if not 0 <= arrival.step <= MAX_STEP:
                raise ValueError(f"step {arrival.step} of {arrival.request.id!r} must lie in 0..{MAX_STEP}")


def is_literal(trace: Trace) -> bool:
    """Whether no request is still derived from another's output."""
    return all(arrival.follow is None and arrival.stop_cut is None for arrival in trace.arrivals)


def parse_literal(text: str) -> Any:
    """A Python literal that may also contain `nan` and `inf`. Raises `ValueError` for anything else."""
    tree = ast.parse(text, mode="eval").body
    return _evaluate(tree, text)


def _evaluate(node: ast.expr, text: str) -> Any:
    match node:
        case ast.Name(id=("nan" | "inf") as name):
            return float(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand, text)
        case ast.List(elts=items):
            return [_evaluate(item, text) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_evaluate(item, text) for item in items)
        case ast.Dict(keys=keys, values=values):
            return {
                _evaluate(key, text): _evaluate(value, text)
                for key, value in zip(keys, values, strict=True)
                if key is not None
            }
        case ast.Constant(value=value):
            return value
    raise ValueError(f"{text!r} is not a literal value")


def with_defect(request: Request, defect: Defect) -> Request:
    """The request with the defect's value in place, unvalidated. Raises `ValueError` for an unknown field path."""
    value = parse_literal(defect.value)
    head, _, rest = defect.field.partition(".")
    if head == "sampling" and rest in request.sampling.__struct_fields__:
        return request.with_sampling(**{rest: value})
    if head.startswith("prompt[") and head.endswith("]"):
        position = int(head[len("prompt[") : -1])
        prompt = request.prompt
        return msgspec.structs.replace(request, prompt=(*prompt[:position], value, *prompt[position + 1 :]))
    if not rest and head in request.__struct_fields__:
        return msgspec.structs.replace(request, **{head: value})
    raise ValueError(f"defect {defect.name!r} names the unknown field {defect.field!r}")
