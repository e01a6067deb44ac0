"""Traces: requests that are related to each other, in time, under knob settings."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from strategies.follows import reaches
from strategies.knobs import draw_knobs, draw_small_pool
from strategies.malformed import draw_defect
from strategies.prompts import Setting
from strategies.requests import draw_long_request, draw_request, new_request, room_behind
from strategies.sampling import SIMILAR_TOKENS, fitted, reproducible
from strategies.schedule import draw_abort, draw_step
from strategies.source import Source, drawn
from strategies.space import Space, geometry_of, prompt_ceiling, total_ceiling
from strategies.tokens import expanded
from targets.contract import KnobValue, Request
from targets.trace import Arrival, Follow, StopCut, Trace

COUNTS = (2, 1, 2, 2, 3, 3, 3, 4, 4, 5, 6)
PRESSURE_COUNTS = (3, 2, 3, 4, 5)
SEVERAL = 0.25
"""Share of requests that fill a pool with several samples: each grows by itself, and they wait for each other."""
WHOLE = 0.08
"""Share of requests among those that fill a pool that need every block of it, which is a border of its own."""
PRESSURE_TOKENS = 400
"""A pool of more tokens is not filled on purpose: the trace would cost as much as dozens of others."""


def traces(space: Space) -> st.SearchStrategy[Trace]:
    """Valid traces: every request lies in the documented domain. Requests may follow others symbolically."""
    return drawn(lambda source: draw_trace(source, space))


def malformed_traces(space: Space) -> st.SearchStrategy[Trace]:
    """Traces in which exactly one request has exactly one defect, proven to lie outside the documented domain."""
    return drawn(lambda source: draw_malformed_trace(source, space))


def draw_trace(source: Source, space: Space) -> Trace:
    """A valid trace; one in seven fills the smallest block pool, if that is known and small."""
    if source.boolean(0.15) and (filling := draw_filling(source, space)) is not None:
        return filling
    knobs = draw_knobs(source, space)
    setting = setting_under(space, knobs)
    return Trace(arrivals=draw_arrivals(source, setting, source.choice(COUNTS), ()), knobs=knobs)


def draw_filling(source: Source, space: Space, whole: float = WHOLE) -> Trace | None:
    """A trace that fills the smallest block pool; None where no pool is known, or it is large."""
    knobs = draw_small_pool(source, space)
    setting = setting_under(space, knobs)
    if not 0 < (setting.geometry.pool or 0) <= PRESSURE_TOKENS:
        return None
    return Trace(arrivals=draw_pressure(source, setting, whole), knobs=knobs)


def draw_malformed_trace(source: Source, space: Space) -> Trace:
    """A valid trace of a few requests with one defective request among them."""
    knobs = draw_knobs(source, space)
    setting = setting_under(space, knobs)
    arrivals = draw_arrivals(source, setting, source.integer(1, 3), ())
    request = draw_request(source, setting, f"r{len(arrivals)}", requests_of(arrivals))
    defect = draw_defect(source, request, space)
    step = draw_step(source, space, setting.geometry, arrivals)
    bad = Arrival(request=request, step=step, defect=defect)
    position = source.integer(0, len(arrivals))
    return Trace(arrivals=(*arrivals[:position], bad, *arrivals[position:]), knobs=knobs)


def setting_under(space: Space, knobs: dict[str, KnobValue]) -> Setting:
    """The setting in force under knob settings."""
    geometry = geometry_of(space, knobs)
    return Setting(space, geometry, prompt_ceiling(space, geometry))


def requests_of(arrivals: tuple[Arrival, ...]) -> tuple[Request, ...]:
    """The requests, in the order of the trace."""
    return tuple(arrival.request for arrival in arrivals)


def draw_arrivals(source: Source, setting: Setting, count: int, earlier: tuple[Arrival, ...]) -> tuple[Arrival, ...]:
    """So many arrivals after the earlier ones; at most one of them has a long prompt."""
    count = max(1, min(count, setting.space.max_requests))
    long = source.integer(0, count - 1) if source.boolean(setting.space.long_share) else None
    for position in range(count):
        earlier = (*earlier, draw_arrival(source, setting, earlier, long=position == long))
    return earlier


def draw_arrival(source: Source, setting: Setting, earlier: tuple[Arrival, ...], *, long: bool = False) -> Arrival:
    """One more valid arrival; it may follow an earlier one, be aborted, or stop at a string cut from its output."""
    name = f"r{len(earlier)}"
    if long:
        request = draw_long_request(source, setting, name)
    else:
        request = draw_request(source, setting, name, requests_of(earlier))
    step = draw_step(source, setting.space, setting.geometry, earlier)
    arrival = Arrival(request=request, step=step)
    if earlier and not long and source.boolean(0.15):
        arrival = following(source, setting, arrival, earlier)
    if source.boolean(0.12):
        abort = draw_abort(source, setting.space, setting.geometry, request, step)
        arrival = msgspec.structs.replace(arrival, abort=abort)
    if source.boolean(0.08) and can_cut(setting.space, arrival.request):
        arrival = msgspec.structs.replace(arrival, stop_cut=draw_stop_cut(source))
    return arrival


def draw_pressure(source: Source, setting: Setting, whole: float = WHOLE) -> tuple[Arrival, ...]:
    """Requests whose prompts together about fill the block pool, and that outgrow it while they run.

    Each of them fits alone, and some (a share of `whole`) just so; they arrive within a few steps of each other.
    """
    space, geometry = setting.space, setting.geometry
    pool = geometry.pool or geometry.context
    count = max(2, min(source.choice(PRESSURE_COUNTS), space.max_requests))
    share = max(1, min(-(-pool // count), setting.ceiling))
    arrivals: tuple[Arrival, ...] = ()
    for position in range(count):
        name = f"r{position}"
        if arrivals and source.boolean(0.1):
            request = draw_request(source, setting, name, requests_of(arrivals))
        else:
            just_fits = source.boolean(whole)
            spare = source.integer(0, 2 if just_fits else 2 * geometry.block)
            length = max(1, (setting.ceiling if just_fits else share) - spare)
            tokens = expanded(source.integer(0, 2**32 - 1), length, space.limits.vocab_size)
            request = new_request(source, setting, name, tokens)
        request = longer(source, setting, request)
        if source.boolean(SEVERAL):
            request = with_samples(source, space, request)
        step = source.integer(0, 3)
        abort = draw_abort(source, space, geometry, request, step) if source.boolean(0.08) else None
        arrivals = (*arrivals, Arrival(request=request, step=step, abort=abort))
    return arrivals


def with_samples(source: Source, space: Space, request: Request) -> Request:
    """The request with as many samples as the target gives, if it gives more than one."""
    if space.limits.max_samples < 2 or not {"n", "temperature", "seed"} <= set(space.domain.supported):
        return request
    sampling = request.sampling
    temperature = sampling.temperature or 1.0
    seed = sampling.seed if sampling.seed is not None else source.integer(0, 9)
    sampling = msgspec.structs.replace(sampling, temperature=temperature, seed=seed, n=space.limits.max_samples)
    return msgspec.structs.replace(request, sampling=sampling)


def longer(source: Source, setting: Setting, request: Request) -> Request:
    """The request with enough tokens to generate that it still runs when the prompts of the others are computed."""
    if "max_tokens" not in setting.space.domain.supported:
        return request
    geometry = setting.geometry
    prefill = min(-(-total_ceiling(geometry) // (geometry.chunk or geometry.context)), SIMILAR_TOKENS)
    room = max(1, total_ceiling(geometry) - len(request.prompt))
    sampling = msgspec.structs.replace(request.sampling, max_tokens=min(room, prefill + source.integer(2, 10)))
    if sampling.json_schema is not None and source.boolean(0.7):
        # Most constrained answers are complete, and end, after a few tokens.
        sampling = msgspec.structs.replace(sampling, json_schema=None)
    return msgspec.structs.replace(request, sampling=fitted(sampling, setting.space, room))


def following(source: Source, setting: Setting, arrival: Arrival, earlier: tuple[Arrival, ...]) -> Arrival:
    """The arrival with its prompt put behind an earlier request's prompt and completion, as in a second turn."""
    chosen, length = reaches(earlier)[source.choice(earlier).request.id]
    sampling = chosen.request.sampling
    keep = None if source.boolean(0.8) else source.integer(0, length)
    count = 0
    if reproducible(sampling):
        count = -1 if source.boolean(0.6) else source.integer(1, sampling.max_tokens)
    before = (length if keep is None else keep) + (sampling.max_tokens if count < 0 else count)
    if not 0 < before < setting.ceiling:
        return arrival
    request = arrival.request
    own = request.prompt[: min(source.integer(0, setting.geometry.block), setting.ceiling - before)]
    room = room_behind(setting, before + len(own))
    fitting = msgspec.structs.replace(request, prompt=own, sampling=fitted(request.sampling, setting.space, room))
    follow = Follow(request_id=chosen.request.id, keep=keep, completion=count)
    return msgspec.structs.replace(arrival, request=fitting, follow=follow)


def can_cut(space: Space, request: Request) -> bool:
    """Whether a stop string cut from its own output is possible: supported, reproducible, and one more fits."""
    stops = len(request.sampling.stop)
    return "stop" in space.domain.supported and stops < space.domain.max_stop and reproducible(request.sampling)


def draw_stop_cut(source: Source) -> StopCut:
    """A piece of one to four characters anywhere in the output, or two that come at once."""
    pair = source.boolean(0.3)
    return StopCut(start=source.integer(0, 15), length=source.choice((1, 2, 1, 3, 4)), pair=pair)
