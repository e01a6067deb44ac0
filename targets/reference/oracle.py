"""The mathematics of both models once more, in NumPy float64: everything recomputed, one sequence, no cache.

Written to be checked by eye: a loop over positions and heads wherever the engine has a batched operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from targets.reference.model.config import ADAPTERS, WINDOW, DecoderConfig
from targets.reference.model.hash_constants import (
    ADAPTER_FACTOR,
    LAYER_OFFSET,
    LEVEL_STEP,
    LEVELS,
    MIX_FACTORS,
    POSITION_FACTOR,
    TOKEN_FACTOR,
    WINNER_LOGIT,
    WINNERS_BITS,
    expects_continuation,
    winners,
)
from targets.reference.model.weights import decoder_weights
from targets.reference.text.tokenizer import VOCAB_SIZE

Array = npt.NDArray[np.float64]
Scorer = Callable[[Sequence[int]], Array]


def greedy(score: Scorer, prompt: Sequence[int], count: int) -> list[int]:
    """The `count` most probable next tokens, one after the other, ties by lowest id."""
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(int(score(tokens)[-1].argmax()))
    return tokens[len(prompt) :]


class DecoderOracle:
    """The decoder. Weights are the engine's float32 numbers, computed with in float64."""

    def __init__(self, config: DecoderConfig) -> None:
        self.config = config
        self.weights = {name: value.astype(np.float64) for name, value in decoder_weights(config).items()}

    def logits(self, tokens: Sequence[int], adapter: str | None = None) -> Array:
        """Logits float64 [len(tokens), vocab]."""
        weights = self.weights
        chosen = 0 if adapter is None else self.config.adapters.index(adapter) + 1
        hidden = np.zeros((len(tokens), self.config.width))
        for position, token in enumerate(tokens):
            hidden[position] = weights["embedding"][token] + weights["position"][position]
        for layer in range(self.config.layers):
            own = {name.split(".")[2]: value for name, value in weights.items() if name.startswith(f"layers.{layer}.")}
            inputs = self._norm(hidden, own["attention_norm"])
            attended = self._attention(inputs, own, self.config.window_of(layer), chosen)
            hidden = hidden + self._norm(attended, own["attention_post_norm"])
            inputs = self._norm(hidden, own["feed_forward_norm"])
            gate, up = inputs @ own["gate"].T, inputs @ own["up"].T
            fed = (gate / (1 + np.exp(-gate)) * up) @ own["down"].T
            hidden = hidden + self._norm(fed, own["feed_forward_post_norm"])
        logits: Array = self._norm(hidden, weights["final_norm"]) @ weights["head"].T
        return logits

    def _attention(self, inputs: Array, own: dict[str, Array], window: int | None, adapter: int) -> Array:
        config, size = self.config, self.config.head_size
        queries, keys = inputs @ own["query"].T, inputs @ own["key"].T
        values = inputs @ own["value"].T + inputs @ own["value_down"][adapter].T @ own["value_up"][adapter].T
        mixed = np.zeros_like(queries)
        for head in range(config.heads):
            shared = head // (config.heads // config.kv_heads)
            query = self._rotate(queries[:, head * size : (head + 1) * size])
            key = self._rotate(keys[:, shared * size : (shared + 1) * size])
            value = self._rotate(values[:, shared * size : (shared + 1) * size])
            for place in range(len(inputs)):
                seen = slice(0 if window is None else max(0, place - window + 1), place + 1)
                scores = key[seen] @ query[place] / size**0.5
                shares = np.exp(scores - scores.max())
                mixed[place, head * size : (head + 1) * size] = shares @ value[seen] / shares.sum()
        adapted: Array = mixed @ own["output_down"][adapter].T @ own["output_up"][adapter].T
        return mixed @ own["output"].T + adapted

    def _rotate(self, vectors: Array) -> Array:
        half = vectors.shape[1] // 2
        angles = np.arange(len(vectors))[:, None] * self.config.rope_base ** (-np.arange(half) / half)
        first, second = vectors[:, :half], vectors[:, half:]
        return np.concatenate(
            [first * np.cos(angles) - second * np.sin(angles), second * np.cos(angles) + first * np.sin(angles)], axis=1
        )

    def _norm(self, hidden: Array, gain: Array) -> Array:
        normalised: Array = hidden / np.sqrt((hidden**2).mean(axis=-1, keepdims=True) + self.config.norm_eps) * gain
        return normalised


class HashOracle:
    """The hash model in Python integers modulo 2^64."""

    def logits(self, tokens: Sequence[int], adapter: str | None = None) -> Array:
        """Logits float64 [len(tokens), vocab]."""
        chosen = 0 if adapter is None else ADAPTERS.index(adapter) + 1
        entries = [
            _mix(token * TOKEN_FACTOR + position * POSITION_FACTOR + chosen * ADAPTER_FACTOR)
            for position, token in enumerate(tokens)
        ]
        seconds = [
            _mix(sum(entries[max(0, place - WINDOW + 1) : place + 1]) + place * POSITION_FACTOR + LAYER_OFFSET)
            for place in range(len(tokens))
        ]
        logits = np.zeros((len(tokens), VOCAB_SIZE))
        for place, token in enumerate(tokens):
            state = _mix(sum(seconds[: place + 1]) + place * POSITION_FACTOR)
            logits[place] = [_mix(state ^ name) % LEVELS * LEVEL_STEP for name in _TOKEN_HASHES]
            logits[place, _WINNERS[_INSIDE[token], state % 2**WINNERS_BITS]] = WINNER_LOGIT
        return logits


def _mix(value: int) -> int:
    value %= 2**64
    value = (value ^ value >> 30) * MIX_FACTORS[0] % 2**64
    value = (value ^ value >> 27) * MIX_FACTORS[1] % 2**64
    return value ^ value >> 31


_TOKEN_HASHES = [_mix(token * TOKEN_FACTOR) for token in range(VOCAB_SIZE)]
_WINNERS = winners()
_INSIDE = expects_continuation()
