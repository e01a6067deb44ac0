"""The stage of traces: what real bugs needed and chance seldom draws, once, before chance repeats some of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

import msgspec

from strategies.edge_values import SAMPLING, Combination
from strategies.prompts import fresh
from strategies.requests import new_request, room_behind, setting_of
from strategies.sampling import draw_max_tokens, fill, fitted
from strategies.source import RandomSource, Source
from strategies.space import Space
from strategies.traces import draw_filling
from targets.contract import Request, SamplingParams
from targets.trace import Arrival, Trace

FILLINGS = (0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
"""For each trace that fills the block pool the share of requests that need every block of it."""

BATCHES = (2, 2, 3, 3)
"""Requests in each batch whose neighbours have different adapters."""

Step = Callable[[Source, Space], Trace | None]


class TraceStage:
    """Deals, in an order of chance: every combination of options by itself, full block pools, batches of adapters."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._left: list[Step] | None = None

    def next(self, random: Random) -> Trace | None:
        """The next trace; None when all have been dealt."""
        if self._left is None:
            self._left = steps(self._space)
            random.shuffle(self._left)
        source = RandomSource(random)
        while self._left:
            trace = self._left.pop()(source, self._space)
            if trace is not None:
                return trace
        return None


def steps(space: Space) -> list[Step]:
    """What is dealt; a filling comes to nothing without a small pool."""
    combinations = [partial(_alone, combination=one) for one in SAMPLING.combination if fill(one, space)]
    batches = [partial(_batch, count=count) for count in BATCHES] if space.limits.adapters else []
    return [*combinations, *(partial(draw_filling, whole=whole) for whole in FILLINGS), *batches]


def _alone(source: RandomSource, space: Space, combination: Combination) -> Trace:
    setting = setting_of(space)
    prompt = fresh(source, setting)
    room = room_behind(setting, len(prompt))
    options = {"max_tokens": draw_max_tokens(source, space, room)} if "max_tokens" in space.domain.supported else {}
    sampling = fitted(SamplingParams(**(options | fill(combination, space))), space, room)
    return Trace(arrivals=(Arrival(request=Request(id="r0", prompt=prompt, sampling=sampling)),))


def _batch(source: Source, space: Space, count: int) -> Trace:
    """Requests that arrive together, each with another adapter than the one before it, or with none."""
    setting = setting_of(space)
    choices = (*space.limits.adapters, None)
    first = source.integer(0, len(choices) - 1)
    arrivals = tuple(
        Arrival(
            request=msgspec.structs.replace(
                new_request(source, setting, f"r{position}", fresh(source, setting)),
                adapter=choices[(first + position) % len(choices)],
            )
        )
        for position in range(min(count, space.max_requests))
    )
    return Trace(arrivals=arrivals)
