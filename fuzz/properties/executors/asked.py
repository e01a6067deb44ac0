"""What the requests of a case ask for: conditions under which a property can have anything to compare."""

from __future__ import annotations

from fuzz.lab.sampling import is_filtered
from targets.contract import SamplingParams
from targets.trace import Trace


def draws(case: Trace) -> bool:
    """A sampled token."""
    return any(sampling.temperature > 0 for sampling in _sampling(case))


def draws_to_count(case: Trace) -> bool:
    """A draw under a filter; of a single request any draw, since counting draws is expensive."""
    return any(
        sampling.temperature > 0 and (is_filtered(sampling) or len(case.arrivals) == 1) for sampling in _sampling(case)
    )


def greedy_penalty(case: Trace) -> bool:
    """A greedy token under a penalty."""
    return any(sampling.temperature == 0 and has_penalty(sampling) for sampling in _sampling(case))


def has_penalty(sampling: SamplingParams) -> bool:
    """Whether tokens that were there before are penalised."""
    return bool(sampling.presence_penalty or sampling.frequency_penalty or sampling.repetition_penalty != 1.0)


def _sampling(case: Trace) -> list[SamplingParams]:
    return [one.request.sampling for one in case.arrivals]
