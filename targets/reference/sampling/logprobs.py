"""Log-probabilities of the raw logits, before any processing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from targets.contract import TokenLogprobs

Floats = npt.NDArray[np.float64]


def log_softmax(logits: Floats) -> Floats:
    """Natural log-probabilities along the last axis, float64."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    normalised: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalised


def token_logprobs(logits: Floats, token: int, alternatives: int) -> TokenLogprobs:
    """The token's raw log-probability and the best `alternatives`, ties by lowest id. `logits`: [vocab]."""
    scores = log_softmax(logits)
    best = np.argsort(-logits, kind="stable")[:alternatives]
    top = tuple((int(token), float(scores[token])) for token in best)
    return TokenLogprobs(logprob=float(scores[token]), top=top)
