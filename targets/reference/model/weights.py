"""Seeded weights of the decoder, in NumPy: the engine and the oracle read the same numbers.

The usual initialisation gives nearly flat logits that ignore far tokens. Four measures make every token count: even
attention in the first layer lets each of n tokens through, the norm after each block keeps its share at 1/sqrt(n)
instead of 1/n, peaked attention in the second layer multiplies what differs, and values that are rotated like keys let
a token count even among equal ones. Scales and seed were chosen for sensitivity under a float32 error below 1e-5.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from targets.reference.model.config import DecoderConfig

Array = npt.NDArray[np.float32]
Weights = dict[str, Array]

EMBEDDING_SCALE = 0.2
POSITION_SCALE = 0.3
"""Position embeddings stand beside RoPE: without them a prompt of equal tokens looks the same at every length."""
ATTENTION_LOGIT_SCALES = (0.5, 2.0)
"""Scale of attention logits in even and odd layers."""
HEAD_SCALE = 0.8
"""Standard deviation of the output logits, about."""
ADAPTER_SCALE = 0.7


def decoder_weights(config: DecoderConfig) -> Weights:
    """All weights by name, float32; linear weights are [out, in], norms [width]."""
    random = np.random.default_rng(config.seed)
    weights = {
        "embedding": _normal(random, EMBEDDING_SCALE, config.vocab_size, config.width),
        "position": _normal(random, POSITION_SCALE, config.context_length, config.width),
    }
    for layer in range(config.layers):
        weights |= {f"layers.{layer}.{name}": value for name, value in _layer(config, layer, random).items()}
    weights["final_norm"] = _gain(random, config.width)
    weights["head"] = _normal(random, HEAD_SCALE / config.width**0.5, config.vocab_size, config.width)
    return weights


def _layer(config: DecoderConfig, layer: int, random: np.random.Generator) -> Weights:
    width, inner = config.width, config.heads * config.head_size
    kv = config.kv_heads * config.head_size
    scale = width**-0.5
    peaked = scale * ATTENTION_LOGIT_SCALES[layer % 2] ** 0.5
    linear = {
        "query": _normal(random, peaked, inner, width),
        "key": _normal(random, peaked, kv, width),
        "value": _normal(random, scale, kv, width),
        "output": _normal(random, inner**-0.5, width, inner),
        "gate": _normal(random, scale, config.hidden, width),
        "up": _normal(random, scale, config.hidden, width),
        "down": _normal(random, config.hidden**-0.5, width, config.hidden),
    }
    if config.ternary:
        linear = {name: ternary(value) for name, value in linear.items()}
    norms = {
        name: _gain(random, width)
        for name in ("attention_norm", "attention_post_norm", "feed_forward_norm", "feed_forward_post_norm")
    }
    return linear | norms | _adapters(config, random)


def _adapters(config: DecoderConfig, random: np.random.Generator) -> Weights:
    count, rank, scale = len(config.adapters) + 1, config.adapter_rank, ADAPTER_SCALE
    inner, kv = config.heads * config.head_size, config.kv_heads * config.head_size
    adapters = {
        "value_down": _normal(random, scale * config.width**-0.5, count, rank, config.width),
        "value_up": _normal(random, scale, count, kv, rank),
        "output_down": _normal(random, scale * inner**-0.5, count, rank, inner),
        "output_up": _normal(random, scale, count, config.width, rank),
    }
    for value in adapters.values():
        # Entry 0 is no adapter.
        value[0] = 0.0
    return adapters


def ternary(weight: Array) -> Array:
    """Nearest of -1, 0, 1 times the mean magnitude (absmean quantisation of BitNet b1.58)."""
    scale = np.abs(weight).mean()
    quantised: Array = (np.clip(np.round(weight / scale), -1, 1) * scale).astype(np.float32)
    return quantised


def _normal(random: np.random.Generator, scale: float, *shape: int) -> Array:
    return (random.standard_normal(shape) * scale).astype(np.float32)


def _gain(random: np.random.Generator, width: int) -> Array:
    return random.uniform(0.7, 1.3, width).astype(np.float32)
