"""The documented sampler once more, in float64 and short enough to check by eye (order: `SamplingParams`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from targets.contract import Limits, SamplingParams

Row = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

LARGEST = 1e300
"""A repetition penalty near zero overflows; finite logits stay within this."""

IMPROBABLE = 70.0
"""A draw never yields a token less probable than e**-70 = 4e-31 of the best one."""

UNSURE = 1e-4
"""Share of a distribution on the border of a filter above which the distribution counts as unknown."""

BORDER = 1e-6
"""Tokens within this probability of the border of the nucleus may be in or out."""


def log_softmax(row: Row) -> Row:
    """Natural logarithm of the probabilities, of the same shape; -inf stays -inf."""
    highest = row.max()
    if not np.isfinite(highest):
        return np.full_like(row, np.nan)
    shifted = row - highest
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def processed(row: Row, params: SamplingParams, prompt: Sequence[int], output: Sequence[int], limits: Limits) -> Row:
    """Raw logits `[vocab]` after bias, penalties and suppression of end tokens, before temperature and filters.

    What a JSON schema forbids is not left out: that is a matter of bytes, which tokens do not always tell.
    """
    row = np.array(row, dtype=np.float64)
    for token, bias in params.logit_bias.items():
        row[token] += bias
    if params.repetition_penalty != 1.0:
        seen = np.unique([*prompt, *output]).astype(np.int64)
        penalty = params.repetition_penalty
        with np.errstate(over="ignore"):
            scaled = np.where(row[seen] > 0, row[seen] / penalty, row[seen] * penalty)
        row[seen] = np.clip(scaled, -LARGEST, LARGEST)
    if params.presence_penalty or params.frequency_penalty:
        for token, count in Counter(output).items():
            row[token] -= params.presence_penalty + params.frequency_penalty * count
    if len(output) < params.min_tokens:
        row[list(suppressed(params, limits))] = -np.inf
    return row


def suppressed(params: SamplingParams, limits: Limits) -> tuple[int, ...]:
    """Tokens that are never chosen before `min_tokens`: end-of-sequence and stop token ids."""
    return tuple({*limits.eos_token_ids, *params.stop_token_ids})


def nothing_left(params: SamplingParams, limits: Limits) -> bool:
    """Whether no token at all may be chosen before `min_tokens`: every one ends generation."""
    return params.min_tokens > 0 and len(suppressed(params, limits)) >= limits.vocab_size


def neutral(params: SamplingParams, position: int) -> bool:
    """Whether the processed logits of the token at this position of the output are the raw ones."""
    return (
        not params.logit_bias
        and params.repetition_penalty == 1.0
        and not params.presence_penalty
        and not params.frequency_penalty
        and position >= params.min_tokens
        and params.json_schema is None
    )


def is_filtered(params: SamplingParams) -> bool:
    """Whether draws leave out tokens."""
    return params.top_k > 0 or params.top_p < 1 or params.min_p > 0


def support(row: Row, params: SamplingParams, eps: float) -> tuple[Mask, Mask]:
    """Tokens certainly and possibly in the support of a draw from processed logits `[vocab]` known to within `eps`.

    Top-k, top-p and min-p are applied in this order, each to the distribution that the one before left.
    """
    if params.temperature == 0:
        highest = row.max()
        best = row >= highest - 2 * eps
        return best & (best.sum() == 1), best
    scaled, slack = at_temperature(row, params.temperature), eps / params.temperature
    certain = np.isfinite(row)
    possible = certain & (row >= row.max() - 2 * eps - IMPROBABLE * params.temperature)
    if 0 < params.top_k < row.size:
        inner, outer = _top_k(row, params.top_k, eps)
        certain, possible = certain & inner, possible & outer
    if params.top_p < 1:
        inner, outer = _top_p(scaled, certain, possible, params.top_p, slack)
        certain, possible = certain & inner, possible & outer
    if params.min_p > 0:
        distance = scaled - np.log(params.min_p)
        certain, possible = certain & (distance > 2 * slack + BORDER), possible & (distance >= -2 * slack - BORDER)
    return certain, possible


def at_temperature(row: Row, temperature: float) -> Row:
    """Logits `[vocab]` over the temperature, the largest subtracted first, so that nothing overflows upwards."""
    with np.errstate(over="ignore"):
        return np.asarray((row - row.max()) / temperature)


def _top_k(row: Row, count: int, eps: float) -> tuple[Mask, Mask]:
    ordered = np.sort(row)[::-1]
    last, next_one = ordered[count - 1], ordered[count]
    return row > next_one + 2 * eps, row >= last - 2 * eps


def _top_p(scaled: Row, certain: Mask, possible: Mask, mass: float, slack: float) -> tuple[Mask, Mask]:
    """A token is in the nucleus if the tokens before it do not reach the mass yet.

    The mass before a token is smallest if the widest set is normalised over, and largest over the narrowest.
    """
    tolerance = BORDER + 2 * slack
    inner = _mass_before(scaled, certain if certain.any() else possible) < mass - tolerance
    outer = _mass_before(scaled, possible) < mass + tolerance
    best = scaled >= scaled.max() - 2 * slack
    return inner, outer | best


def _mass_before(scaled: Row, allowed: Mask) -> Row:
    """Probability of the strictly better tokens (ties by id) within the allowed set, for each token `[vocab]`."""
    kept = np.where(allowed, scaled, -np.inf)
    order = np.argsort(-kept, kind="stable")
    probabilities = np.exp(log_softmax(kept))[order]
    before = np.empty_like(scaled)
    before[order] = np.cumsum(probabilities) - probabilities
    return before


def probabilities(row: Row, params: SamplingParams, eps: float) -> Row | None:
    """The distribution `[vocab]` that a draw follows, for processed logits and a temperature above 0.

    None if a noticeable share of it lies on the border of a filter, where it may be in or out.
    """
    scaled = at_temperature(row, params.temperature)
    certain, possible = support(row, params, eps)
    shares = np.exp(scaled)
    if shares[possible & ~certain].sum() > UNSURE * shares.sum() or not certain.any():
        return None
    return np.exp(log_softmax(np.where(certain, scaled, -np.inf)))
