"""Changes of logits by the request's own tokens: bias, penalties, constraints, suppression of end tokens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from targets.contract import SamplingParams
from targets.reference.sampling.grammar import Constraint

Floats = npt.NDArray[np.float64]

LARGEST = 1e300
"""Penalties close to zero may overflow; logits stay within this, so that differences stay finite."""


class History:
    """Which tokens a sequence has seen. `in_prompt`: bool [vocab]; `counts`: int64 [vocab], output only."""

    __slots__ = ("counts", "in_prompt")

    def __init__(self, prompt: tuple[int, ...], vocab_size: int) -> None:
        self.in_prompt = np.zeros(vocab_size, dtype=bool)
        self.in_prompt[list(prompt)] = True
        self.counts = np.zeros(vocab_size, dtype=np.int64)

    def add(self, token: int) -> None:
        """Count one generated token."""
        self.counts[token] += 1


def has_penalties(sampling: SamplingParams) -> bool:
    """Whether a history has to be kept."""
    return sampling.repetition_penalty != 1.0 or sampling.presence_penalty != 0.0 or sampling.frequency_penalty != 0.0


def process(
    logits: Floats,
    sampling: SamplingParams,
    history: History | None,
    end_tokens: tuple[int, ...],
    generated: int,
    constraint: Constraint | None = None,
) -> None:
    """Apply bias, penalties, constraint and suppression to one row of logits [vocab], in place and in this order."""
    if sampling.logit_bias:
        logits[list(sampling.logit_bias)] += list(sampling.logit_bias.values())
    if history is not None:
        penalise(logits, sampling, history)
    if constraint is not None:
        logits[~constraint.allowed] = -np.inf
        if must_end(logits, (*end_tokens, *sampling.stop_token_ids)):
            return
    if generated < sampling.min_tokens:
        logits[list(end_tokens)] = -np.inf
        logits[list(sampling.stop_token_ids)] = -np.inf


def must_end(logits: Floats, ends: tuple[int, ...]) -> bool:
    """Whether only these tokens are left of [vocab], so that suppressing them would leave none."""
    return not bool(np.isfinite(np.delete(logits, list(ends))).any())


def penalise(logits: Floats, sampling: SamplingParams, history: History) -> None:
    """Repetition penalty over prompt and output, presence and frequency penalty over the output; in place."""
    in_output = history.counts > 0
    seen = history.in_prompt | in_output
    scores = logits[seen]
    with np.errstate(over="ignore"):
        scores = np.where(scores > 0, scores / sampling.repetition_penalty, scores * sampling.repetition_penalty)
    logits[seen] = np.clip(scores, -LARGEST, LARGEST)
    logits -= sampling.presence_penalty * in_output
    logits -= sampling.frequency_penalty * history.counts
