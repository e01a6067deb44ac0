"""When requests arrive and are aborted, in scheduler steps, aimed at the phases that a request goes through."""

from __future__ import annotations

from collections.abc import Sequence

from strategies.source import Source
from strategies.space import Geometry, Space
from targets.contract import Request
from targets.trace import Arrival


def prefill_steps(request: Request, geometry: Geometry) -> int:
    """Steps until the prompt is computed, if the request runs alone and nothing is cached."""
    return -(-len(request.prompt) // geometry.chunk) if geometry.chunk else 1


def expected_end(arrival: Arrival, geometry: Geometry) -> int:
    """About the step at which the request has finished, if it neither waits nor stops early."""
    return arrival.step + prefill_steps(arrival.request, geometry) + arrival.request.sampling.max_tokens


def draw_step(source: Source, space: Space, geometry: Geometry, earlier: Sequence[Arrival]) -> int:
    """With the previous request, shortly after it, amid the others, or when all of them have finished."""
    if not earlier:
        return 0 if source.boolean(0.9) else source.integer(1, 3)
    previous = earlier[-1].step
    match source.choice(("together", "together", "together", "close", "close", "amid", "after", "after")):
        case "together":
            step = previous
        case "close":
            step = previous + source.integer(1, 3)
        case "amid":
            step = source.integer(0, max(expected_end(arrival, geometry) for arrival in earlier))
        case _:
            step = max(expected_end(arrival, geometry) for arrival in earlier) + len(earlier)
    return min(step, space.max_step)


def draw_abort(source: Source, space: Space, geometry: Geometry, request: Request, step: int) -> int:
    """A step for an abort: before arrival, queued, in each prefill chunk, at a decode, at the end, or long finished."""
    decode = step + prefill_steps(request, geometry)
    end = decode + request.sampling.max_tokens
    match source.choice(("queued", "prefill", "decode", "running", "running", "last", "finished", "before")):
        case "queued":
            chosen = step
        case "prefill":
            chosen = source.integer(step, decode)
        case "decode":
            chosen = decode + 1
        case "running":
            chosen = source.integer(step + 1, max(step + 1, end - 1))
        case "last":
            chosen = end - 1
        case "finished":
            chosen = end + source.integer(0, 3)
        case _:
            chosen = max(0, step - 1)
    return min(chosen, space.max_step)
