"""The stage of traces: every combination of options that a real bug needed once, before chance repeats some of them."""

from __future__ import annotations

from random import Random

from strategies.edge_values import SAMPLING, Combination
from strategies.prompts import fresh
from strategies.requests import room_behind, setting_of
from strategies.sampling import draw_max_tokens, fill, fitted
from strategies.source import RandomSource
from strategies.space import Space
from targets.contract import Request, SamplingParams
from targets.trace import Arrival, Trace


class TraceStage:
    """Deals every combination once, in an order of chance, each with a prompt of its own."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._left: list[Combination] | None = None

    def next(self, random: Random) -> Trace | None:
        """The next trace; None when all have been dealt."""
        if self._left is None:
            self._left = [one for one in SAMPLING.combination if fill(one, self._space)]
            random.shuffle(self._left)
        return _alone(RandomSource(random), self._space, self._left.pop()) if self._left else None


def _alone(source: RandomSource, space: Space, combination: Combination) -> Trace:
    setting = setting_of(space)
    prompt = fresh(source, setting)
    room = room_behind(setting, len(prompt))
    options = {"max_tokens": draw_max_tokens(source, space, room)} if "max_tokens" in space.domain.supported else {}
    sampling = fitted(SamplingParams(**(options | fill(combination, space))), space, room)
    return Trace(arrivals=(Arrival(request=Request(id="r0", prompt=prompt, sampling=sampling)),))
