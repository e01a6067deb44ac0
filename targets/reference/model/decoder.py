"""The decoder in PyTorch: RMSNorm, RoPE, grouped-query attention over a paged KV cache, SwiGLU, LoRA adapters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from targets.reference.model.attention import attend, attention_mask, rope_table, rotate
from targets.reference.model.batch import Batch, Floats
from targets.reference.model.config import DecoderConfig
from targets.reference.model.weights import Array, decoder_weights

Forward = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, "Tensor | None", Tensor, Tensor], Tensor]


class Decoder:
    """Weights on one device in one dtype. Its KV cache is one tensor [layers, 2, slots, kv_heads, head_size]."""

    def __init__(self, config: DecoderConfig, device: str, dtype: str) -> None:
        self.config = config
        self.adapters = config.adapters
        self.device = torch.device(device)
        self.dtype: torch.dtype = getattr(torch, dtype)
        self._rope = rope_table(config).to(self.device)
        weights = {name: self._place(value) for name, value in decoder_weights(config).items()}
        self._embedding, self._position, self._head = weights["embedding"], weights["position"], weights["head"]
        self._final_norm = weights["final_norm"]
        self._layers = [Layer(config, index, weights) for index in range(config.layers)]
        self._compiled: Forward | None = None

    def new_cache(self, slots: int) -> Tensor:
        """An empty KV cache."""
        config = self.config
        shape = (config.layers, 2, slots, config.kv_heads, config.head_size)
        return torch.zeros(shape, dtype=self.dtype, device=self.device)

    def copy(self, cache: Tensor, source: int, target: int, slots: int) -> None:
        """Keys and values of all layers."""
        cache[:, :, target : target + slots] = cache[:, :, source : source + slots]

    def poison(self, cache: Tensor, start: int, stop: int) -> None:
        """NaN in the slots from `start` to `stop`."""
        cache[:, :, start:stop] = float("nan")

    @torch.inference_mode()
    def forward(self, batch: Batch, cache: Tensor, compiled: bool = False) -> Floats:
        """Logits float32 [R, vocab] of the wanted rows, on the host."""
        place = self._place_index
        # Compiled code takes adapters always, since each kind of call is compiled on its own.
        adapters = place(batch.adapters) if compiled or batch.adapters.any() else None
        run = self._compile() if compiled else self._run
        logits = run(
            place(batch.tokens),
            place(batch.positions),
            place(batch.slots),
            place(batch.key_slots),
            place(batch.distance),
            adapters,
            place(batch.rows),
            cache,
        )
        host: Floats = logits.float().cpu().numpy()
        return host

    def _run(
        self,
        tokens: Tensor,
        positions: Tensor,
        slots: Tensor,
        key_slots: Tensor,
        distance: Tensor,
        adapters: Tensor | None,
        rows: Tensor,
        cache: Tensor,
    ) -> Tensor:
        hidden = self._embedding[tokens] + self._position[positions]
        rope = self._rope[positions]
        masks = {window: attention_mask(distance, window) for window in (self.config.window, None)}
        for layer, stored in zip(self._layers, cache, strict=True):
            hidden = layer.forward(hidden, rope, masks[layer.window], slots, key_slots, adapters, stored)
        return functional.linear(norm(hidden[rows], self._final_norm, self.config), self._head)

    def _compile(self) -> Forward:
        if self._compiled is None:
            # Code generation for the processor takes minutes and a C++ compiler; there only the graph is captured.
            backend = "inductor" if self.device.type == "cuda" else "eager"
            self._compiled = torch.compile(self._run, dynamic=True, backend=backend)
        return self._compiled

    def _place(self, value: Array) -> Tensor:
        return torch.from_numpy(value).to(device=self.device, dtype=self.dtype)

    def _place_index(self, value: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Tensor:
        return torch.from_numpy(value).to(self.device)


class Layer:
    """One block of attention and feed-forward, each normalised before and after."""

    def __init__(self, config: DecoderConfig, index: int, weights: dict[str, Tensor]) -> None:
        self.config = config
        self.window = config.window_of(index)
        own = {
            name.removeprefix(f"layers.{index}."): value
            for name, value in weights.items()
            if name.startswith(f"layers.{index}.")
        }
        self.weights = own
        self.query_key_value = torch.cat([own["query"], own["key"], own["value"]])
        self.gate_up = torch.cat([own["gate"], own["up"]])

    def forward(
        self,
        hidden: Tensor,
        rope: Tensor,
        mask: Tensor,
        slots: Tensor,
        key_slots: Tensor,
        adapters: Tensor | None,
        stored: Tensor,
    ) -> Tensor:
        """Hidden states [T, width] after this layer; keys and values go into `stored` [2, slots, kv_heads, size]."""
        weights, config = self.weights, self.config
        inputs = norm(hidden, weights["attention_norm"], config)
        queries, keys, values = self._project(inputs, rope, adapters)
        stored[0, slots], stored[1, slots] = keys, values
        mixed = attend(queries, stored[0, key_slots], stored[1, key_slots], mask)
        output = functional.linear(mixed, weights["output"])
        if adapters is not None:
            output = output + low_rank(mixed, weights["output_down"][adapters], weights["output_up"][adapters])
        hidden = hidden + norm(output, weights["attention_post_norm"], config)
        inputs = norm(hidden, weights["feed_forward_norm"], config)
        return hidden + norm(self._feed_forward(inputs), weights["feed_forward_post_norm"], config)

    def _project(self, inputs: Tensor, rope: Tensor, adapters: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated queries, keys and values, each [T, heads of its kind, head_size]."""
        config, weights = self.config, self.weights
        projected = functional.linear(inputs, self.query_key_value)
        if adapters is not None:
            adapted = low_rank(inputs, weights["value_down"][adapters], weights["value_up"][adapters])
            projected = projected + functional.pad(adapted, (projected.shape[-1] - adapted.shape[-1], 0))
        # Values are rotated as well: a sum over equal tokens then still depends on each of them.
        turned = rotate(projected.view(len(inputs), -1, config.head_size), rope)
        queries, keys, values = torch.split(turned, [config.heads, config.kv_heads, config.kv_heads], dim=1)
        return queries, keys, values

    def _feed_forward(self, inputs: Tensor) -> Tensor:
        gate, up = functional.linear(inputs, self.gate_up).chunk(2, dim=-1)
        return functional.linear(functional.silu(gate) * up, self.weights["down"])


def norm(hidden: Tensor, gain: Tensor, config: DecoderConfig) -> Tensor:
    """RMSNorm (Zhang and Sennrich, arXiv 1910.07467) over the last axis."""
    return functional.rms_norm(hidden, (hidden.shape[-1],), gain, config.norm_eps)


def low_rank(inputs: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """LoRA (Hu et al., arXiv 2106.09685) with the adapter of each token: [T, in] to [T, out]."""
    return torch.matmul(up, torch.matmul(down, inputs[:, :, None])).squeeze(-1)
