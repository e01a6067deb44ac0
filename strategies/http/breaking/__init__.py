"""Edits that break a valid request in one place; whether they did is proven afterwards, from the bytes."""

from __future__ import annotations

from collections.abc import Callable

from strategies.http.breaking.constraints import break_constraint
from strategies.http.breaking.encoding import break_encoding, break_text
from strategies.http.breaking.fields import break_field
from strategies.http.breaking.framing import break_framing, break_raw
from strategies.http.breaking.pairs import break_in_pairs
from strategies.http.breaking.placing import break_placing
from strategies.http.breaking.sizes import break_size
from strategies.http.space import HttpSpace
from strategies.source import Source
from targets.http.case import Exchange

Edit = Callable[[Source, HttpSpace, Exchange], Exchange]

EDITS: tuple[Edit, ...] = (
    *[break_constraint] * 10,
    *[break_field] * 5,
    *[break_in_pairs] * 3,
    *[break_text] * 5,
    *[break_encoding] * 3,
    break_framing,
    break_raw,
    break_placing,
)
"""Frequent ones several times; the first is the simplest."""

HUGE_EDITS: tuple[Edit, ...] = (break_size,)
"""Those that make a request of megabytes."""

__all__ = ["EDITS", "HUGE_EDITS", "Edit"]
