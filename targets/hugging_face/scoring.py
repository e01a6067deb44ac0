"""Plain forward passes and log-probabilities of the raw logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from targets.contract import TokenLogprobs


@torch.no_grad()
def full_logits(model: Any, token_ids: Sequence[int]) -> npt.NDArray[np.floating[Any]]:
    """Teacher-forced logits without a cache: float32 array `[len(token_ids), vocab_size]`."""
    if not token_ids:
        return np.zeros((0, model.config.vocab_size), dtype=np.float32)
    ids = torch.tensor([list(token_ids)], device=model.device)
    logits: npt.NDArray[np.floating[Any]] = model(input_ids=ids, use_cache=False).logits[0].float().cpu().numpy()
    return logits


def token_logprobs(logits: torch.Tensor, token_id: int, count: int) -> TokenLogprobs:
    """Log-probability of the token and of the `count` best ones from logits `[vocab_size]`; ties by lowest id."""
    scores = torch.log_softmax(logits.float(), dim=-1)
    order = torch.sort(scores, descending=True, stable=True).indices[:count]
    top = tuple((int(token), float(scores[token])) for token in order)
    return TokenLogprobs(logprob=float(scores[token_id]), top=top)


def use_attention(model: Any, implementation: str) -> None:
    """Switch the attention implementation; executors on one model may differ, so each sets its own before it runs."""
    if model.config._attn_implementation != implementation:
        model.set_attn_implementation(implementation)
