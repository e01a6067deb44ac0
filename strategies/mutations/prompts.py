"""Edits of one prompt: its length, its tokens, its relation to another prompt."""

from __future__ import annotations

from strategies.arrivals import with_prompt
from strategies.mutations.scene import ArrivalEdit, Scene, another
from strategies.prompts import DERIVATIONS, Prompt, different, extend
from strategies.source import Source
from strategies.space import length_edges
from strategies.tokens import draw_long_length, draw_tokens
from targets.trace import Arrival


def resized(source: Source, scene: Scene, prompt: Prompt, length: int) -> Prompt:
    """The prompt cut or continued to a length."""
    if length <= len(prompt):
        return prompt[: max(1, length)]
    return (*prompt, *draw_tokens(source, scene.setting.space, length - len(prompt)))


def to_boundary(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """A length at which the executor takes another branch."""
    length = source.choice(length_edges(scene.setting.space, scene.setting.geometry).short)
    return with_prompt(arrival, resized(source, scene, arrival.request.prompt, min(length, scene.setting.ceiling)))


def total_to_boundary(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """A length with which prompt and completion together end at a boundary."""
    longest = arrival.request.sampling.max_tokens
    target = source.choice(length_edges(scene.setting.space, scene.setting.geometry).short)
    length = max(1, min(target - longest + source.integer(0, 1), scene.setting.ceiling))
    return with_prompt(arrival, resized(source, scene, arrival.request.prompt, length))


def nudge_length(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """One token or one block more or less."""
    block = scene.setting.geometry.block
    length = len(arrival.request.prompt) + source.choice((1, -1, block, -block))
    return with_prompt(arrival, resized(source, scene, arrival.request.prompt, min(length, scene.setting.ceiling)))


def to_long(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """A long prompt, in one of a hundred edits: it costs as much as many short ones."""
    if not source.boolean(0.2):
        return nudge_length(source, scene, arrival)
    length = draw_long_length(source, scene.setting.space, scene.setting.geometry, scene.setting.ceiling)
    return with_prompt(arrival, resized(source, scene, arrival.request.prompt, length))


def replace_token(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """One token changed."""
    prompt = arrival.request.prompt
    if not prompt:
        return arrival
    position = source.integer(0, len(prompt) - 1)
    token = different(source, scene.setting.space, prompt[position])
    return with_prompt(arrival, (*prompt[:position], token, *prompt[position + 1 :]))


def insert_tokens(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """A few tokens inserted."""
    prompt = arrival.request.prompt
    position = source.integer(0, len(prompt))
    added = draw_tokens(source, scene.setting.space, source.integer(1, scene.setting.geometry.block))
    return with_prompt(arrival, (*prompt[:position], *added, *prompt[position:])[: scene.setting.ceiling])


def delete_tokens(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """A slice removed, often a whole block."""
    prompt = arrival.request.prompt
    if len(prompt) < 2:
        return arrival
    block = scene.setting.geometry.block
    start = source.integer(0, len(prompt) - 1)
    length = source.choice((1, block, source.integer(1, len(prompt) - 1)))
    return with_prompt(arrival, (*prompt[:start], *prompt[start + length :]) or prompt[:1])


def splice(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """The start of this prompt and the rest of another, cut at the same or at another place."""
    own, other = arrival.request.prompt, another(source, scene).prompt
    at = source.integer(0, len(own))
    start = min(at, len(other)) if source.boolean() else source.integer(0, len(other))
    return with_prompt(arrival, ((*own[:at], *other[start:]) or own)[: scene.setting.ceiling])


def relate(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """The prompt derived from another request's: repeated, extended, truncated, diverging."""
    other = another(source, scene).prompt
    if not other:
        return arrival
    derived = source.choice(DERIVATIONS)(source, scene.setting, other)
    return with_prompt(arrival, derived[: scene.setting.ceiling])


def fill_block(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """Tokens appended, often to the end of the last block."""
    return with_prompt(arrival, extend(source, scene.setting, arrival.request.prompt)[: scene.setting.ceiling])


EDITS: tuple[ArrivalEdit, ...] = (
    to_boundary,
    to_boundary,
    total_to_boundary,
    nudge_length,
    to_long,
    replace_token,
    insert_tokens,
    delete_tokens,
    splice,
    relate,
    relate,
    fill_block,
)
