"""Rotary embedding and grouped-query attention over gathered keys."""

from __future__ import annotations

import torch
from torch import Tensor

from targets.reference.model.config import DecoderConfig


def rope_table(config: DecoderConfig) -> Tensor:
    """Cosines and sines of every position: float32 [context, 2, 1, head_size / 2] (Su et al., arXiv 2104.09864)."""
    half = config.head_size // 2
    frequencies = config.rope_base ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(config.context_length, dtype=torch.float64)[:, None] * frequencies
    return torch.stack([angles.cos(), angles.sin()], dim=1)[:, :, None, :].float()


def rotate(vectors: Tensor, table: Tensor) -> Tensor:
    """Rotate [T, heads, head_size] by the angles of their positions, `table`: [T, 2, 1, head_size / 2]."""
    cosine, sine = table[:, 0], table[:, 1]
    first, second = vectors.float().chunk(2, dim=-1)
    rotated = torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)
    return rotated.to(vectors.dtype)


def attention_mask(distance: Tensor, window: int | None) -> Tensor:
    """Added to attention logits: 0 where a token sees a key, -inf elsewhere. Float32 [T, 1, 1, L]."""
    visible = distance >= 0
    if window is not None:
        visible &= distance < window
    return torch.where(visible, 0.0, float("-inf"))[:, None, None, :]


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Softmax attention of [T, heads, size] over [T, L, kv_heads, size]; returns [T, heads * size]."""
    count, heads, size = queries.shape
    kv_heads = keys.shape[2]
    grouped = queries.reshape(count, kv_heads, heads // kv_heads, size) * size**-0.5
    scores = torch.matmul(grouped, keys.permute(0, 2, 3, 1)).float()
    weights = torch.softmax(scores + mask, dim=-1).to(values.dtype)
    mixed: Tensor = torch.matmul(weights, values.transpose(1, 2))
    return mixed.reshape(count, heads * size)
