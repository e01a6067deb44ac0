"""Knob settings: how an executor is opened, in ways that must not change any result."""

from __future__ import annotations

from hypothesis import strategies as st

from strategies.source import Source, drawn
from strategies.space import Space
from targets.contract import Knob, KnobValue

POOL = "total_blocks"


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
    """One of the smaller sizes of the block pool; empty where the target has no such knob."""
    knob = space.knobs_by_name.get(POOL)
    sizes = sorted(value for value in knob.values if is_size(value)) if knob else []
    return {POOL: source.choice(sizes[: max(1, len(sizes) - 1)])} if sizes else {}


def is_size(value: KnobValue) -> bool:
    """Whether a knob value is a positive count."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def alternatives(knob: Knob) -> tuple[KnobValue, ...]:
    """The values other than the default."""
    return tuple(value for value in knob.values if value != knob.default) or knob.values
