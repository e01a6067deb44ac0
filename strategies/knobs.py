"""Knob settings: how an executor is opened, in ways that must not change any result."""

from __future__ import annotations

from hypothesis import strategies as st

from strategies.source import Source, drawn
from strategies.space import Space
from targets.contract import Knob, KnobValue

POOL = "total_blocks"
SPREADING = ("block_size", "chunk_size", "max_batch")
"""Knobs that keep requests from running together, or make the pool hold more tokens."""


def knob_settings(space: Space) -> st.SearchStrategy[dict[str, KnobValue]]:
    """Settings by knob name; a knob left out keeps its default."""
    return drawn(lambda source: draw_knobs(source, space))


def draw_knobs(source: Source, space: Space) -> dict[str, KnobValue]:
    """Half of the time every default, otherwise each knob but the pool size changed with probability 0.35.

    A small block pool is drawn by `draw_small_pool`, for a trace that is made to fill it.
    """
    if source.boolean(0.5):
        return {}
    return {
        knob.name: source.choice(alternatives(knob))
        for knob in space.knobs
        if knob.name != POOL and len(knob.values) > 1 and source.boolean(0.35)
    }


def draw_small_pool(source: Source, space: Space) -> dict[str, KnobValue]:
    """The smallest size of the block pool with blocks of the default size; empty where the target has no such knob.

    Knobs that would keep requests from filling it together are left at their defaults.
    """
    pool = space.knobs_by_name.get(POOL)
    sizes = sorted(value for value in pool.values if is_size(value)) if pool else []
    if not sizes:
        return {}
    others = {name: value for name, value in draw_knobs(source, space).items() if name not in SPREADING}
    return others | {POOL: source.choice(sizes) if source.boolean(0.1) else sizes[0]}


def is_size(value: KnobValue) -> bool:
    """Whether a knob value is a positive count."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def alternatives(knob: Knob) -> tuple[KnobValue, ...]:
    """The values other than the default."""
    return tuple(value for value in knob.values if value != knob.default) or knob.values
