"""Sizes of the decoder."""

from __future__ import annotations

from dataclasses import dataclass

from targets.reference.text.tokenizer import VOCAB_SIZE

ADAPTERS = ("formal", "terse")
"""Names of the LoRA adapters of both models."""

CONTEXT_LENGTH = 256
WINDOW = 24
"""Tokens that a layer with sliding window attends to, the token itself among them."""


@dataclass(frozen=True)
class DecoderConfig:
    """A small Llama-like decoder; every odd layer has a sliding window."""

    vocab_size: int = VOCAB_SIZE
    context_length: int = CONTEXT_LENGTH
    width: int = 32
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    head_size: int = 8
    hidden: int = 64
    window: int = WINDOW
    rope_base: float = 100.0
    norm_eps: float = 1e-6
    ternary: bool = False
    """Linear layers hold -1, 0 or 1 times one scale (BitNet b1.58, arXiv 2402.17764, weights only)."""
    adapters: tuple[str, ...] = ADAPTERS
    adapter_rank: int = 2
    seed: int = 3
    """Chosen by measured sensitivity."""

    def window_of(self, layer: int) -> int | None:
        """Sliding window of a layer; None attends to everything before."""
        return self.window if layer % 2 == 1 else None
