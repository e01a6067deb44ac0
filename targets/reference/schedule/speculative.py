"""Draft tokens for speculative decoding: cheap guesses that the model verifies in one forward pass.

A draft is one certain guess at each position, so exact rejection sampling (Leviathan et al., arXiv 2211.17192) comes
down to: draw from the target distribution as usual, keep the draft while the draw equals it. The draws are the same as
without drafts, hence so are the tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def draft(tokens: Sequence[int], count: int) -> list[int]:
    """Guess `count` tokens: after each what followed it the last time, or itself where nothing has."""
    followed = dict(pairwise(tokens))
    token = tokens[-1]
    return [token := followed.get(token, token) for _ in range(count)]
