"""Repair: any decodable trace, fitted to a target's limits, documented domain and knobs.

A malformed trace keeps exactly one defect, proven again after whatever changed around it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from operator import is_
from random import Random
from typing import Any

import msgspec

from strategies.follows import Reach, inherited, reaches
from strategies.malformed import draw_defect, prove
from strategies.prompts import Setting
from strategies.sampling import bound_of, fitted, reproducible
from strategies.source import RandomSource, Source
from strategies.space import Space, total_ceiling
from strategies.traces import can_cut, setting_under
from targets.contract import KnobValue, SamplingParams
from targets.domain import INTEGER_FIELDS, NEUTRAL, breaches, is_token_id, within
from targets.json_schema import why_not
from targets.trace import Arrival, Follow, Trace

replace = msgspec.structs.replace


def is_valid(trace: Trace, space: Space) -> bool:
    """Whether every request lies in the documented domain and fits the block pool; defects are left aside.

    A follower is judged with the longest prompt that it can resolve to, made of valid token ids.
    """
    setting = setting_under(space, trace.knobs)
    earlier: set[str] = set()
    for arrival, length in reaches(trace.arrivals).values():
        if arrival.follow is not None and arrival.follow.request_id not in earlier:
            return False
        request = arrival.request
        whole = replace(request, prompt=(0,) * (length - len(request.prompt)) + request.prompt)
        if breaches(whole, space.domain, space.limits):
            return False
        if length + request.sampling.max_tokens > total_ceiling(setting.geometry):
            return False
        earlier.add(request.id)
    return True


def repair(trace: Trace, space: Space, source: Source, trusted: Collection[int] = ()) -> Trace:
    """The trace with everything put right that lies outside the space; the same object if nothing does.

    `trusted` holds the `id()` of arrivals known to be valid apart from what depends on others and on the knobs.
    """
    knobs = fit_knobs(trace.knobs, space)
    setting = setting_under(space, knobs)
    arrivals: list[Arrival] = []
    known: dict[str, Reach] = {}
    for original in one_defect(trace.arrivals, space.max_requests):
        arrival = original if id(original) in trusted else fit_fields(original, space)
        arrival = fit_symbols(arrival, space, known)
        arrival = fit_room(arrival, setting, known)
        arrival = fit_times(arrival, space)
        if arrival.defect is not None and not prove(arrival.request, arrival.defect, space):
            arrival = replace(arrival, defect=draw_defect(source, arrival.request, space))
        known[arrival.request.id] = Reach(arrival, len(arrival.request.prompt) + inherited(arrival.follow, known))
        arrivals.append(arrival)
    if knobs is trace.knobs and len(arrivals) == len(trace.arrivals) and all(map(is_, arrivals, trace.arrivals)):
        return trace
    return Trace(arrivals=tuple(arrivals), knobs=knobs)


def one_defect(arrivals: tuple[Arrival, ...], most: int) -> tuple[Arrival, ...]:
    """At most so many arrivals; of several defects only the first is kept, and it is not cut off."""
    guilty = [index for index, arrival in enumerate(arrivals) if arrival.defect is not None]
    if not guilty:
        return arrivals[:most]
    for index in guilty[1:]:
        arrivals = (*arrivals[:index], replace(arrivals[index], defect=None), *arrivals[index + 1 :])
    return arrivals[:most] if guilty[0] < most else (*arrivals[: most - 1], arrivals[guilty[0]])


def adapt(trace: Trace, space: Space) -> Trace:
    """A trace made for another target, fitted to this one; equal traces give equal results.

    Seeds and the corpus of another target go through this before they are run or mutated.
    """
    return repair(trace, space, RandomSource(Random(0)))


def fit_knobs(knobs: dict[str, KnobValue], space: Space) -> dict[str, KnobValue]:
    """Only settings that the target offers; the same object if all are."""
    offered = space.knobs_by_name
    if all(name in offered and value in offered[name].values for name, value in knobs.items()):
        return knobs
    return {name: value for name, value in knobs.items() if name in offered and value in offered[name].values}


def fit_fields(arrival: Arrival, space: Space) -> Arrival:
    """The arrival with token ids, sampling parameters and adapter inside the domain, each on its own."""
    request, limits = arrival.request, space.limits
    changes: dict[str, Any] = {}
    prompt = request.prompt
    if prompt and (max(prompt) >= limits.vocab_size or min(prompt) < 0):
        changes["prompt"] = tuple(token % limits.vocab_size for token in prompt)
    elif not prompt and arrival.follow is None and not space.domain.empty_prompt:
        changes["prompt"] = (0,)
    if request.cache_salt is not None and not space.domain.cache_salt:
        changes["cache_salt"] = None
    if request.adapter is not None and request.adapter not in limits.adapters:
        changes["adapter"] = limits.adapters[0] if limits.adapters else None
    sampling = fit_sampling(request.sampling, space)
    if sampling is not request.sampling:
        changes["sampling"] = sampling
    return replace(arrival, request=replace(request, **changes)) if changes else arrival


def fit_sampling(sampling: SamplingParams, space: Space) -> SamplingParams:
    """The parameters with every field inside its own documented bounds; the rest is for `fitted`."""
    changes: dict[str, Any] = {}
    for name in sampling.__struct_fields__:
        value = getattr(sampling, name)
        neutral = getattr(NEUTRAL, name)
        if value == neutral:
            continue
        if name not in space.domain.supported:
            changes[name] = neutral
        elif name in _COLLECTIONS:
            kept = _COLLECTIONS[name](value, space)
            if kept != value:
                changes[name] = kept
        elif not isinstance(value, bool) and not within(value, bound_of(space, name), name in INTEGER_FIELDS):
            changes[name] = neutral
    return replace(sampling, **changes) if changes else sampling


def fit_symbols(arrival: Arrival, space: Space, known: Mapping[str, Reach]) -> Arrival:
    """The arrival with a follow that refers to an earlier, sound request, and a stop cut only where one can be cut."""
    changes: dict[str, Any] = {}
    if arrival.follow is not None:
        follow = fit_follow(arrival.follow, known) if arrival.defect is None else None
        if follow is not arrival.follow:
            changes["follow"] = follow
    cut = arrival.stop_cut
    if cut is not None:
        if arrival.defect is not None or not can_cut(space, arrival.request):
            changes["stop_cut"] = None
        elif cut.start < 0 or cut.length < 1:
            changes["stop_cut"] = replace(cut, start=max(0, cut.start), length=max(1, cut.length))
    return replace(arrival, **changes) if changes else arrival


def fit_follow(follow: Follow, known: Mapping[str, Reach]) -> Follow | None:
    """The follow within what the earlier request has to offer; None if it is missing or has a defect."""
    if follow.request_id not in known:
        return None
    model, length = known[follow.request_id]
    if model.defect is not None:
        return None
    sampling = model.request.sampling
    limit = sampling.max_tokens if reproducible(sampling) else 0
    count = max(-1, min(follow.completion, limit)) if limit else 0
    keep = None if follow.keep is None else max(0, min(follow.keep, length))
    if (count, keep) == (follow.completion, follow.keep):
        return follow
    return replace(follow, completion=count, keep=keep)


def fit_room(arrival: Arrival, setting: Setting, known: Mapping[str, Reach]) -> Arrival:
    """The arrival cut to the context and the block pool, what it follows included; its prompt is not left empty."""
    before = inherited(arrival.follow, known)
    if arrival.follow is not None and not 0 < before <= setting.ceiling:
        arrival = replace(arrival, follow=None)
        before = 0
    request = arrival.request
    prompt = request.prompt
    if before + len(prompt) > setting.ceiling:
        prompt = prompt[: setting.ceiling - before]
    if not prompt and arrival.follow is None and not setting.space.domain.empty_prompt:
        prompt = (0,)
    room = total_ceiling(setting.geometry) - before - len(prompt)
    sampling = fitted(request.sampling, setting.space, room)
    if prompt is request.prompt and sampling is request.sampling:
        return arrival
    return replace(arrival, request=replace(request, prompt=prompt, sampling=sampling))


def fit_times(arrival: Arrival, space: Space) -> Arrival:
    """The arrival with its steps inside the space's range."""
    late = arrival.step > space.max_step
    abort = arrival.abort
    if not late and (abort is None or 0 <= abort <= space.max_step):
        return arrival
    bounded = None if abort is None else max(0, min(abort, space.max_step))
    return replace(arrival, step=min(arrival.step, space.max_step), abort=bounded)


def _stops(value: tuple[str, ...], space: Space) -> tuple[str, ...]:
    return tuple(text for text in value if text)[: space.domain.max_stop]


def _token_ids(value: tuple[int, ...], space: Space) -> tuple[int, ...]:
    return tuple(token for token in value if is_token_id(token, space.limits))


def _bias(value: dict[int, float], space: Space) -> dict[int, float]:
    bound = bound_of(space, "logit_bias")
    pairs = ((token, added) for token, added in value.items() if is_token_id(token, space.limits))
    return dict([pair for pair in pairs if within(pair[1], bound, integer=False)][: space.domain.max_logit_bias])


def _schema(value: dict[str, Any], space: Space) -> dict[str, Any] | None:
    del space
    return None if why_not(value) else value


_COLLECTIONS: dict[str, Callable[[Any, Space], Any]] = {
    "stop": _stops,
    "stop_token_ids": _token_ids,
    "logit_bias": _bias,
    "json_schema": _schema,
}
