"""Choice of the next token for a batch of rows, each with its own parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from targets.contract import SamplingParams
from targets.reference.sampling.logprobs import log_softmax

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


def choose(logits: Floats, params: Sequence[SamplingParams], uniforms: Sequence[float]) -> list[int]:
    """One token for each row: the most probable one if it is greedy, else drawn with its uniform number.

    `logits`: processed, [rows, vocab]; at least one entry of a row is finite. Ties go to the lowest id.
    """
    tokens = logits.argmax(axis=1)
    drawn = [row for row, sampling in enumerate(params) if sampling.temperature > 0]
    if drawn:
        tokens[drawn] = draw(logits[drawn], [params[row] for row in drawn], [uniforms[row] for row in drawn])
    chosen: list[int] = tokens.tolist()
    return chosen


def draw(logits: Floats, params: Sequence[SamplingParams], uniforms: Sequence[float]) -> Integers:
    """Sample each row of [rows, vocab] by inverting its cumulative distribution, most probable token first."""
    ranked, order = rank(logits, _column(params, "temperature"))
    probabilities = filtered(ranked, params)
    cumulative = probabilities.cumsum(axis=1)
    threshold = np.asarray(uniforms)[:, None] * cumulative[:, -1:]
    places = (cumulative > threshold).argmax(axis=1)
    tokens: Integers = order[np.arange(len(order)), places]
    return tokens


def rank(logits: Floats, temperature: Floats) -> tuple[Floats, Integers]:
    """Logits divided by the temperature, largest first and at most 0, with their token ids. Both [rows, vocab]."""
    order = np.argsort(-logits, axis=1, kind="stable")
    ranked = np.take_along_axis(logits, order, axis=1)
    # The largest is subtracted first: a tiny temperature then gives -inf, never inf - inf.
    with np.errstate(over="ignore"):
        return (ranked - ranked[:, :1]) / temperature, order


def filtered(ranked: Floats, params: Sequence[SamplingParams]) -> Floats:
    """Probabilities [rows, vocab] left by top-k, top-p and min-p in turn; zero for what they drop, not normalised."""
    vocab_size = ranked.shape[1]
    # A top-k beyond the vocabulary keeps all; it may be larger than any float.
    keep = within_top_k(vocab_size, np.array([[min(sampling.top_k, vocab_size)] for sampling in params]))
    probabilities = np.exp(log_softmax(np.where(keep, ranked, -np.inf)))
    keep &= within_top_p(probabilities, _column(params, "top_p"))
    keep &= within_min_p(probabilities, _column(params, "min_p"))
    return np.where(keep, probabilities, 0.0)


def within_top_k(vocab_size: int, top_k: Integers) -> Booleans:
    """Which ranks are among the k first; k = 0 keeps all. `top_k`: [rows, 1]."""
    ranks = np.arange(vocab_size)
    kept: Booleans = (ranks < top_k) | (top_k == 0)
    return kept


def within_top_p(probabilities: Floats, top_p: Floats) -> Booleans:
    """Which ranks belong to the smallest set that reaches p: the mass before them is less than p."""
    before = probabilities.cumsum(axis=1) - probabilities
    kept: Booleans = (before < top_p) | (top_p >= 1)
    return kept


def within_min_p(probabilities: Floats, min_p: Floats) -> Booleans:
    """Which ranks have at least this fraction of the row's largest probability."""
    kept: Booleans = probabilities >= min_p * probabilities[:, :1]
    return kept


def _column(params: Sequence[SamplingParams], name: str) -> Floats:
    return np.array([[getattr(sampling, name)] for sampling in params], dtype=np.float64)
