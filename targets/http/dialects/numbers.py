"""Numbers in answers that JSON cannot carry."""

from __future__ import annotations

import re

_LITERAL = re.compile(rb'"(?:[^"\\]|\\.)*"|(-?\b(?:NaN|Infinity)\b)')


def non_finite_literal(body: bytes) -> str:
    """The first NaN or infinity outside a text, as written; empty if there is none."""
    for found in _LITERAL.finditer(body):
        if found[1]:
            return found[1].decode()
    return ""
