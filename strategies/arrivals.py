"""An arrival with one part of its request replaced."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from targets.contract import SamplingParams
from targets.trace import Arrival


def with_request(arrival: Arrival, **fields: Any) -> Arrival:
    """The arrival with some fields of its request replaced."""
    return replace(arrival, request=replace(arrival.request, **fields))


def with_prompt(arrival: Arrival, prompt: tuple[int, ...]) -> Arrival:
    """The arrival with another prompt."""
    return with_request(arrival, prompt=prompt)


def with_sampling(arrival: Arrival, sampling: SamplingParams) -> Arrival:
    """The arrival with other sampling parameters."""
    return with_request(arrival, sampling=sampling)


def with_options(arrival: Arrival, **options: Any) -> Arrival:
    """The arrival with some sampling parameters replaced."""
    return with_sampling(arrival, replace(arrival.request.sampling, **options))
