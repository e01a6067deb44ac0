"""The stage of traces: what real bugs needed and chance seldom draws, once, before chance repeats some of it.

What surrounds a trace costs more than a refusal, so several malformed requests share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random

import msgspec

from strategies.edge_values import SAMPLING, Combination
from strategies.malformed import BAD_VALUES, BadValue, defect_of
from strategies.prompts import fresh
from strategies.requests import new_request, room_behind, setting_of
from strategies.sampling import draw_max_tokens, fill, fitted
from strategies.source import RandomSource, Source
from strategies.space import Space
from strategies.traces import can_cut, draw_filling, draw_stop_cut
from targets.contract import Request, SamplingParams
from targets.trace import Arrival, Trace

FILLINGS = (*[0.0] * 9, 1.0)
"""For each trace that fills the block pool the share of requests that need every block of it."""

BATCHES = (2, 2, 3, 3)
"""Requests in each batch whose neighbours have different adapters."""

CUTS = 6
"""Requests that stop at strings that come at once."""

Step = Callable[[Source, Space], Trace | None]


class TraceStage:
    """Deals its traces in an order of chance.

    They are every combination of options by itself, full block pools, batches of adapters, stop strings that come at
    once, and every bad value, several in a trace.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._left: list[Step] | None = None

    def next(self, random: Random) -> Trace | None:
        """The next trace; None when all have been dealt."""
        if self._left is None:
            self._left = steps(self._space, random)
        source = RandomSource(random)
        while self._left:
            trace = self._left.pop()(source, self._space)
            if trace is not None:
                return trace
        return None


def steps(space: Space, random: Random) -> list[Step]:
    """What is dealt; a filling comes to nothing without a small pool."""
    found: list[Step] = [partial(_alone, combination=one) for one in SAMPLING.combination if fill(one, space)]
    found += [partial(draw_filling, whole=whole) for whole in FILLINGS]
    found += [partial(_batch, count=count) for count in BATCHES] if space.limits.adapters else []
    found += [_cut] * CUTS if "stop" in space.domain.supported else []
    bad = list(BAD_VALUES)
    random.shuffle(bad)
    size = max(1, space.max_requests - 1)
    found += [partial(_malformed, bad=bad[start : start + size]) for start in range(0, len(bad), size)]
    random.shuffle(found)
    return found


def parts_of(trace: Trace) -> Iterator[Trace]:
    """A trace with each of its malformed requests alone among the others: one of several may hide what another does."""
    malformed = [arrival for arrival in trace.arrivals if arrival.defect is not None]
    for kept in malformed if len(malformed) > 1 else ():
        arrivals = tuple(one for one in trace.arrivals if one.defect is None or one is kept)
        yield msgspec.structs.replace(trace, arrivals=arrivals)


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


def _cut(source: Source, space: Space) -> Trace | None:
    """A request that stops at two strings that come at once, the one that wins listed last."""
    setting = setting_of(space)
    request = new_request(source, setting, "r0", fresh(source, setting))
    if not can_cut(space, request):
        return None
    cut = msgspec.structs.replace(draw_stop_cut(source), pair=True)
    return Trace(arrivals=(Arrival(request=request, stop_cut=cut),))


def _malformed(source: Source, space: Space, bad: Sequence[BadValue]) -> Trace | None:
    """Requests with these bad values, one after the other beside a valid one; None if all are valid here."""
    setting = setting_of(space)
    request = new_request(source, setting, "r0", fresh(source, setting))
    arrivals = [Arrival(request=request)]
    for value in bad:
        request = new_request(source, setting, f"r{len(arrivals)}", fresh(source, setting))
        defect = defect_of(source, value, request, space)
        if defect is not None:
            arrivals.append(Arrival(request=request, step=len(arrivals), defect=defect))
    return Trace(arrivals=tuple(arrivals)) if len(arrivals) > 1 else None
