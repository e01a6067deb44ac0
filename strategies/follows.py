"""How long a prompt can get that is put behind an earlier prompt and its completion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from targets.trace import Arrival, Follow


class Reach(NamedTuple):
    """An arrival, and the most tokens that its prompt can have once its follow is resolved."""

    arrival: Arrival
    length: int


def reaches(arrivals: Iterable[Arrival]) -> dict[str, Reach]:
    """The reach of every arrival by request id; a follow of anything but an earlier arrival counts nothing."""
    known: dict[str, Reach] = {}
    for arrival in arrivals:
        known[arrival.request.id] = Reach(arrival, len(arrival.request.prompt) + inherited(arrival.follow, known))
    return known


def inherited(follow: Follow | None, known: Mapping[str, Reach]) -> int:
    """Most tokens that a follower takes over from the prompt and the completion of the request before it."""
    if follow is None or follow.request_id not in known:
        return 0
    model, length = known[follow.request_id]
    kept = length if follow.keep is None else min(follow.keep, length)
    return kept + (model.request.sampling.max_tokens if follow.completion < 0 else follow.completion)
