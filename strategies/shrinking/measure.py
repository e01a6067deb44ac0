"""The measure that shrinking makes smaller."""

from __future__ import annotations

import math

from strategies.schemas import weight
from targets.contract import Request, SamplingParams
from targets.domain import NEUTRAL
from targets.trace import Arrival, Trace


def size(trace: Trace) -> tuple[float, ...]:
    """Measure in the order of what matters to a reader: requests, symbols, tokens, options, time, then the values."""
    arrivals = trace.arrivals
    samplings = [arrival.request.sampling for arrival in arrivals]
    prompts = [arrival.request.prompt for arrival in arrivals]
    return (
        len(arrivals),
        sum((arrival.follow is not None) + (arrival.stop_cut is not None) for arrival in arrivals),
        sum(len(prompt) for prompt in prompts),
        sum(_options(arrival.request) for arrival in arrivals),
        len(trace.knobs),
        sum(arrival.abort is not None for arrival in arrivals),
        sum(sampling.max_tokens for sampling in samplings),
        sum(arrival.step + (arrival.abort or 0) for arrival in arrivals),
        len({token for prompt in prompts for token in prompt}),
        sum(sum(prompt) for prompt in prompts),
        sum(_weight(sampling) for sampling in samplings),
        sum(_symbol_weight(arrival) for arrival in arrivals),
        sum(arrival.request.id != f"r{index}" for index, arrival in enumerate(arrivals)),
    )


def _options(request: Request) -> int:
    """Options that are set, greedy decoding not counted and any other temperature counted."""
    sampling = request.sampling
    names = (name for name in sampling.__struct_fields__ if name not in ("temperature", "max_tokens"))
    changed = sum(bool(getattr(sampling, name) != getattr(NEUTRAL, name)) for name in names)
    return changed + (sampling.temperature != 0) + (request.adapter is not None) + (request.cache_salt is not None)


def _weight(sampling: SamplingParams) -> float:
    """How large the set values are, on a scale where no single one drowns the others."""
    numbers = (
        sampling.min_tokens,
        sampling.top_k,
        sampling.n,
        sampling.logprobs,
        sampling.prompt_logprobs,
        sampling.seed,
    )
    magnitude = sum(math.log2(1 + max(0, number)) for number in numbers if number is not None)
    unusual = sampling.temperature not in (0.0, 1.0)
    magnitude += weight(sampling.json_schema) / 8
    return magnitude + unusual + len(sampling.stop) + len(sampling.stop_token_ids) + len(sampling.logit_bias)


def _symbol_weight(arrival: Arrival) -> int:
    weight = int(arrival.defect is not None and arrival.defect.field not in ("prompt[0]", "prompt"))
    if arrival.follow is not None:
        weight += (arrival.follow.keep is not None) + (2 if arrival.follow.completion != 1 else 0)
    if arrival.stop_cut is not None:
        weight += arrival.stop_cut.start + arrival.stop_cut.length + arrival.stop_cut.pair
    return weight
