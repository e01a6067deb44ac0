"""Prompts derived from earlier prompts: what makes a cache hit, miss, share and diverge."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from strategies.edge_values import TOKENS
from strategies.source import Source
from strategies.space import Geometry, Space, length_edges
from strategies.tokens import draw_length, draw_token, draw_tokens

Prompt = tuple[int, ...]


class Setting(NamedTuple):
    """Where a prompt is drawn: the target, the sizes in force, and the most tokens a prompt may have."""

    space: Space
    geometry: Geometry
    ceiling: int


def repeat(source: Source, setting: Setting, earlier: Prompt) -> Prompt:
    """The same prompt again."""
    del source, setting
    return earlier


def extend(source: Source, setting: Setting, earlier: Prompt) -> Prompt:
    """The earlier prompt and a few tokens, often up to the end of its last block."""
    block = setting.geometry.block
    missing = -len(earlier) % block
    count = missing if missing and source.boolean(0.4) else source.integer(1, block + 1)
    return (*earlier, *draw_tokens(source, setting.space, count))


def truncate(source: Source, setting: Setting, earlier: Prompt) -> Prompt:
    """The start of the earlier prompt, often cut at a boundary length."""
    if len(earlier) < 2:
        return earlier
    kept = source.choice(length_edges(setting.space, setting.geometry).short) if source.boolean(0.5) else len(earlier)
    return earlier[: kept if kept < len(earlier) else source.integer(1, len(earlier) - 1)]


def diverge(source: Source, setting: Setting, earlier: Prompt) -> Prompt:
    """The earlier prompt up to offset j of its block k, then a different token and a tail of another length."""
    block = setting.geometry.block
    index = source.integer(0, (len(earlier) - 1) // block)
    position = min(index * block + source.integer(0, block - 1), len(earlier) - 1)
    tail = earlier[position + 1 :] if source.boolean() else ()
    other = different(source, setting.space, earlier[position])
    rest = tail or draw_tokens(source, setting.space, source.integer(0, block))
    return (*earlier[:position], other, *rest)


def share_middle(source: Source, setting: Setting, earlier: Prompt) -> Prompt:
    """A new start before the earlier prompt without its own start: equal blocks at other positions."""
    block = setting.geometry.block
    start = draw_tokens(source, setting.space, source.integer(1, block))
    return (*start, *earlier[source.choice((0, block, 1)) :])


def collide(source: Source, setting: Setting, earlier: Prompt) -> Prompt:
    """Two neighbouring tokens changed so that a polynomial hash of the block stays the same (CACHE-39)."""
    first, second = (int(value) for value in TOKENS.collision[0].values)
    vocabulary = setting.space.limits.vocab_size
    if len(earlier) < 2:
        return earlier
    position = source.integer(0, len(earlier) - 2)
    left, right = (earlier[position] + first) % vocabulary, (earlier[position + 1] + second) % vocabulary
    return (*earlier[:position], left, right, *earlier[position + 2 :])


DERIVATIONS: tuple[Callable[[Source, Setting, Prompt], Prompt], ...] = (
    repeat,
    repeat,
    extend,
    extend,
    truncate,
    diverge,
    diverge,
    share_middle,
    collide,
)


def derive(source: Source, setting: Setting, earlier: Prompt) -> Prompt:
    """A prompt related to an earlier one, which has at least one token; cut to the ceiling."""
    return source.choice(DERIVATIONS)(source, setting, earlier)[: setting.ceiling]


def fresh(source: Source, setting: Setting) -> Prompt:
    """A prompt of its own, of an ordinary length."""
    length = draw_length(source, setting.space, setting.geometry, setting.ceiling)
    return draw_tokens(source, setting.space, length)


def different(source: Source, space: Space, token: int) -> int:
    """Another valid token id (the same one only if the vocabulary has no other)."""
    other = draw_token(source, space)
    return other if other != token else (token + 1) % space.limits.vocab_size
