"""Traces: requests that are related to each other, in time, under knob settings."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from strategies.knobs import draw_knobs, draw_small_pool
from strategies.malformed import draw_defect
from strategies.prompts import Setting
from strategies.requests import draw_long_request, draw_request, new_request, room_behind
from strategies.sampling import fitted, reproducible
from strategies.schedule import draw_abort, draw_step
from strategies.source import Source, drawn
from strategies.space import Space, geometry_of, prompt_ceiling
from strategies.tokens import draw_tokens
from targets.contract import KnobValue, Request
from targets.trace import Arrival, Follow, StopCut, Trace

COUNTS = (2, 1, 2, 2, 3, 3, 3, 4, 4, 5, 6)
PRESSURE_COUNTS = (3, 4, 5, 6)
PRESSURE_PROMPT = 24


def traces(space: Space) -> st.SearchStrategy[Trace]:
    """Valid traces: every request lies in the documented domain. Requests may follow others symbolically."""
    return drawn(lambda source: draw_trace(source, space))


def malformed_traces(space: Space) -> st.SearchStrategy[Trace]:
    """Traces in which exactly one request has exactly one defect, proven to lie outside the documented domain."""
    return drawn(lambda source: draw_malformed_trace(source, space))


def draw_trace(source: Source, space: Space) -> Trace:
    """A valid trace; one in five fills a small block pool where the target has that knob."""
    knobs = draw_knobs(source, space)
    pool = draw_small_pool(source, space) if source.boolean(0.2) else {}
    knobs |= pool
    setting = setting_under(space, knobs)
    arrivals = draw_pressure(source, setting) if pool else draw_arrivals(source, setting, source.choice(COUNTS), ())
    return Trace(arrivals=arrivals, knobs=knobs)


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
    if source.boolean(0.1):
        abort = draw_abort(source, setting.space, setting.geometry, request, step)
        arrival = msgspec.structs.replace(arrival, abort=abort)
    if source.boolean(0.08) and can_cut(setting.space, arrival.request):
        arrival = msgspec.structs.replace(arrival, stop_cut=draw_stop_cut(source))
    return arrival


def draw_pressure(source: Source, setting: Setting) -> tuple[Arrival, ...]:
    """Requests at almost the same time that together need more blocks than the pool has, each of which fits alone."""
    arrivals: tuple[Arrival, ...] = ()
    count = max(1, min(source.choice(PRESSURE_COUNTS), setting.space.max_requests))
    for position in range(count):
        step = source.integer(0, 3)
        length = max(1, min(setting.ceiling * source.integer(1, 3) // 4, PRESSURE_PROMPT))
        name = f"r{position}"
        if arrivals and source.boolean(0.3):
            request = draw_request(source, setting, name, requests_of(arrivals))
        else:
            request = new_request(source, setting, name, draw_tokens(source, setting.space, length))
        request = longer(source, setting, request)
        arrivals = (*arrivals, Arrival(request=request, step=step))
    return arrivals


def longer(source: Source, setting: Setting, request: Request) -> Request:
    """The request with more tokens to generate, so that it takes blocks while it runs, often all that the pool has."""
    if "max_tokens" not in setting.space.domain.supported:
        return request
    room = room_behind(setting, len(request.prompt))
    wanted = room if source.boolean(0.3) else min(room, source.integer(6, 16))
    sampling = msgspec.structs.replace(request.sampling, max_tokens=wanted)
    return msgspec.structs.replace(request, sampling=fitted(sampling, setting.space, room))


def following(source: Source, setting: Setting, arrival: Arrival, earlier: tuple[Arrival, ...]) -> Arrival:
    """The arrival with its prompt put behind an earlier request's prompt and completion, as in a second turn."""
    model = source.choice(earlier).request
    request = arrival.request
    keep = None if source.boolean(0.8) else source.integer(0, len(model.prompt))
    kept = len(model.prompt) if keep is None else keep
    longest = model.sampling.max_tokens
    count = 0 if not reproducible(model.sampling) else -1 if source.boolean(0.6) else source.integer(1, longest)
    room = setting.ceiling - kept - longest
    if room < 1 or (kept == 0 and count == 0):
        return arrival
    own = request.prompt[: min(source.integer(0, setting.geometry.block), room)]
    if not own and kept == 0:
        own = request.prompt[:1]
    behind = room_behind(setting, kept + longest + len(own))
    sampling = fitted(request.sampling, setting.space, behind)
    return msgspec.structs.replace(
        arrival,
        request=msgspec.structs.replace(request, prompt=own, sampling=sampling),
        follow=Follow(request_id=model.id, keep=keep, completion=count),
    )


def can_cut(space: Space, request: Request) -> bool:
    """Whether a stop string cut from its own output is possible: supported, reproducible, and one more fits."""
    stops = len(request.sampling.stop)
    return "stop" in space.domain.supported and stops < space.domain.max_stop and reproducible(request.sampling)


def draw_stop_cut(source: Source) -> StopCut:
    """A piece of one to four characters anywhere in the output."""
    return StopCut(start=source.integer(0, 15), length=source.choice((1, 2, 1, 3, 4)))
