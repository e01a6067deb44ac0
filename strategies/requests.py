"""Requests: new ones, and neighbours of an earlier one that differ from it in exactly one option."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from strategies.prompts import Setting, derive, fresh
from strategies.sampling import SIMILAR_TOKENS, draw_option, draw_sampling, draw_temperature, fitted
from strategies.source import Source, drawn
from strategies.space import Space, geometry_of, prompt_ceiling, total_ceiling
from strategies.tokens import draw_long_length, draw_tokens
from targets.contract import Request

SALTS = ("a", "b", "")
LINKS = ("new", "derived", "derived", "derived", "neighbour", "neighbour", "swapped")


def requests(space: Space) -> st.SearchStrategy[Request]:
    """Single valid requests, at the default knob settings."""
    return drawn(lambda source: draw_request(source, setting_of(space), "r0", ()))


def setting_of(space: Space) -> Setting:
    """The setting at default knobs."""
    geometry = geometry_of(space, {})
    return Setting(space, geometry, prompt_ceiling(space, geometry))


def draw_request(source: Source, setting: Setting, name: str, earlier: tuple[Request, ...]) -> Request:
    """A valid request: new, or related to one of the earlier requests (only those with a prompt count)."""
    related = tuple(request for request in earlier if request.prompt)
    link = source.choice(LINKS) if related else "new"
    if link == "new":
        return new_request(source, setting, name, fresh(source, setting))
    model = source.choice(related)
    if link == "neighbour":
        return neighbour(source, setting, name, model)
    if link == "swapped":
        return swapped(source, setting, name, model)
    prompt = derive(source, setting, model.prompt)
    if source.boolean(0.4):
        sampling = fitted(model.sampling, setting.space, room_behind(setting, len(prompt)))
        return msgspec.structs.replace(model, id=name, prompt=prompt, sampling=sampling)
    return new_request(source, setting, name, prompt)


def new_request(source: Source, setting: Setting, name: str, prompt: tuple[int, ...]) -> Request:
    """The prompt with sampling parameters of its own, now and then with an adapter or a salt."""
    sampling = draw_sampling(source, setting.space, room_behind(setting, len(prompt)))
    keys = draw_cache_keys(source, setting.space) if source.boolean(0.1) else {}
    return Request(id=name, prompt=prompt, sampling=sampling, **keys)


def draw_long_request(source: Source, setting: Setting, name: str) -> Request:
    """A request with a prompt of hundreds or thousands of tokens, as far as the context allows, and a short answer."""
    length = draw_long_length(source, setting.space, setting.geometry, setting.ceiling)
    return new_request(source, setting, name, draw_tokens(source, setting.space, length))


def neighbour(source: Source, setting: Setting, name: str, model: Request) -> Request:
    """The same prompt and parameters but for one option (two where the second is bound to the first)."""
    space = setting.space
    names = space.option_fields
    if not names or source.boolean(0.1):
        changes = draw_temperature(source, space)
    else:
        option = source.choice(names)
        changes = {option: draw_option(source, space, option)}
    sampling = msgspec.structs.replace(model.sampling, **changes)
    room = room_behind(setting, len(model.prompt))
    return msgspec.structs.replace(model, id=name, sampling=fitted(sampling, space, room))


def swapped(source: Source, setting: Setting, name: str, model: Request) -> Request:
    """The same request under another adapter or another salt, which must not share its cache."""
    return msgspec.structs.replace(model, id=name, **draw_cache_keys(source, setting.space))


def draw_cache_keys(source: Source, space: Space) -> dict[str, Any]:
    """An adapter if the target has any, or a salt."""
    if space.limits.adapters and source.boolean():
        return {"adapter": source.choice(space.limits.adapters)}
    return {"cache_salt": source.choice((*SALTS, *space.limits.adapters))} if space.domain.cache_salt else {}


def room_behind(setting: Setting, length: int) -> int:
    """Tokens that may be generated behind so many, at least one; capped where the context is far from its end."""
    room = total_ceiling(setting.geometry) - length
    return max(1, min(room, SIMILAR_TOKENS) if room > 4 * SIMILAR_TOKENS else room)
