"""The stage of traces: what real bugs needed and chance seldom draws, once, before chance repeats some of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from strategies.edge_values import SAMPLING, Combination
from strategies.prompts import fresh
from strategies.requests import room_behind, setting_of
from strategies.sampling import draw_max_tokens, fill, fitted
from strategies.source import RandomSource
from strategies.space import Space
from strategies.traces import draw_filling
from targets.contract import Request, SamplingParams
from targets.trace import Arrival, Trace

FILLINGS = (0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
"""For each trace that fills the block pool the share of requests that need every block of it."""

Step = Callable[[RandomSource, Space], Trace | None]


class TraceStage:
    """Deals, in an order of chance, every combination of options by itself, and traces that fill the block pool."""

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
    return [*combinations, *(partial(draw_filling, whole=whole) for whole in FILLINGS)]


def _alone(source: RandomSource, space: Space, combination: Combination) -> Trace:
    setting = setting_of(space)
    prompt = fresh(source, setting)
    room = room_behind(setting, len(prompt))
    options = {"max_tokens": draw_max_tokens(source, space, room)} if "max_tokens" in space.domain.supported else {}
    sampling = fitted(SamplingParams(**(options | fill(combination, space))), space, room)
    return Trace(arrivals=(Arrival(request=Request(id="r0", prompt=prompt, sampling=sampling)),))
