"""Draft tokens for speculative decoding: cheap guesses that the model verifies in one forward pass.

A draft is one certain guess at each position, so exact rejection sampling (Leviathan et al., arXiv 2211.17192) comes
down to: draw from the target distribution as usual, keep the draft while the draw equals it. The draws are the same as
without drafts, hence so are the tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_MATCH = 3


def draft(tokens: Sequence[int], count: int) -> list[int]:
    """Guess `count` tokens: what followed the most recent earlier occurrence of the ending, else the last again."""
    for size in range(min(LONGEST_MATCH, len(tokens) - 1), 0, -1):
        follow = _after_last_occurrence(tokens, size)
        if follow is not None:
            guess = list(tokens[follow : follow + count])
            return guess + [guess[-1]] * (count - len(guess))
    return [tokens[-1]] * count


def _after_last_occurrence(tokens: Sequence[int], size: int) -> int | None:
    ending = tokens[-size:]
    for start in range(len(tokens) - size - 1, -1, -1):
        if tokens[start : start + size] == ending:
            return start + size
    return None
