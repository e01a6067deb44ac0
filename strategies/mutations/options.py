"""Edits of one request's sampling parameters, adapter and salt."""

from __future__ import annotations

from typing import Any

from strategies.arrivals import with_options, with_request, with_sampling
from strategies.edge_values import SAMPLING
from strategies.mutations.scene import ArrivalEdit, Scene, another
from strategies.requests import draw_cache_keys, room_behind
from strategies.sampling import (
    draw_max_tokens,
    draw_option,
    draw_sampling,
    draw_temperature,
    fill,
    is_neutral,
)
from strategies.schemas import altered
from strategies.source import Source
from strategies.steering import draw_steering
from targets.domain import INTEGER_FIELDS, NEUTRAL
from targets.trace import Arrival

NUDGED = (*INTEGER_FIELDS[:3], "logprobs", "n")
"""Integer fields for which one more or one less may take another branch."""


def set_option(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """One supported option drawn anew, a JSON schema also from the one that was there."""
    names = scene.setting.space.option_fields
    if not names:
        return arrival
    name = source.choice(names)
    schema = arrival.request.sampling.json_schema
    if name == "json_schema" and schema is not None:
        return with_options(arrival, json_schema=altered(source, schema))
    if name == "logit_bias" and schema is not None:
        return with_options(arrival, logit_bias=draw_steering(source, scene.setting.space, schema))
    return with_options(arrival, **{name: draw_option(source, scene.setting.space, name)})


def reset_option(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """One option back to neutral."""
    names = [name for name in scene.setting.space.option_fields if not is_neutral(arrival.request.sampling, name)]
    if not names:
        return arrival
    name = source.choice(names)
    return with_options(arrival, **{name: getattr(NEUTRAL, name)})


def set_temperature(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """Another temperature, with a seed if it is not greedy."""
    return with_options(arrival, **draw_temperature(source, scene.setting.space))


def set_max_tokens(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """Another number of tokens: small, one more or less, or to the end of the room."""
    if "max_tokens" not in scene.setting.space.domain.supported:
        return arrival
    if source.boolean():
        return with_options(arrival, max_tokens=max(1, arrival.request.sampling.max_tokens + source.choice((1, -1))))
    room = room_behind(scene.setting, len(arrival.request.prompt))
    return with_options(arrival, max_tokens=draw_max_tokens(source, scene.setting.space, room))


def nudge_number(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """An integer option that is set, one more or one less, or doubled."""
    name = source.choice(NUDGED)
    value = getattr(arrival.request.sampling, name)
    if value is None or name not in scene.setting.space.domain.supported:
        return set_option(source, scene, arrival)
    low = 1 if name in ("n", "max_tokens") else 0
    return with_options(arrival, **{name: max(low, source.choice((value + 1, value - 1, value * 2)))})


def copy_options(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """All sampling parameters of another request."""
    return with_sampling(arrival, another(source, scene).sampling)


def copy_option(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """One sampling parameter of another request."""
    names = scene.setting.space.option_fields
    if not names:
        return arrival
    name = source.choice(names)
    return with_options(arrival, **{name: getattr(another(source, scene).sampling, name)})


def combine(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """A combination of options that a real bug needed."""
    return with_options(arrival, **fill(source.choice(SAMPLING.combination), scene.setting.space))


def redraw(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """New sampling parameters."""
    room = room_behind(scene.setting, len(arrival.request.prompt))
    return with_sampling(arrival, draw_sampling(source, scene.setting.space, room))


def swap_keys(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """Another adapter or salt, those of another request, or none."""
    if source.boolean(0.3):
        keys: dict[str, Any] = {"adapter": None, "cache_salt": None}
    elif source.boolean(0.3):
        other = another(source, scene)
        keys = {"adapter": other.adapter, "cache_salt": other.cache_salt}
    else:
        keys = draw_cache_keys(source, scene.setting.space)
    return with_request(arrival, **keys)


EDITS: tuple[ArrivalEdit, ...] = (
    set_option,
    set_option,
    set_option,
    reset_option,
    set_temperature,
    set_max_tokens,
    set_max_tokens,
    nudge_number,
    copy_options,
    copy_option,
    combine,
    redraw,
    swap_keys,
)
