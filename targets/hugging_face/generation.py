"""An executor over `model.generate` with a KV cache: padded batches of requests that share their options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import StoppingCriteriaList, StopStringCriteria

from targets.batch_adapter import BatchExecutor, Completion
from targets.contract import Domain, Limits, Output, Request
from targets.hugging_face import tokenizer as text
from targets.hugging_face.generate_options import GenerateSettings, batch_key, generation_config
from targets.hugging_face.rows import RowEnds, completion, left_padded
from targets.hugging_face.scoring import full_logits, use_attention
from targets.hugging_face.tiny_llama import LoadedModel

_SAMPLE_STRIDE = 0x9E3779B97F4A7C15
"""Keeps the streams of neighbouring seeds and sample numbers apart."""


class GenerateExecutor:
    """`model.generate` behind the executor contract; also scores tokens and detokenizes."""

    def __init__(self, loaded: LoadedModel, settings: GenerateSettings, domain: Domain, limits: Limits) -> None:
        self._loaded = loaded
        self._settings = settings
        self._batches = BatchExecutor(
            lambda requests: generate(loaded, settings, requests),
            domain=domain,
            limits=limits,
            max_batch=settings.max_batch,
            group=lambda request: batch_key(request, settings),
        )

    def submit(self, request: Request) -> None:
        """Queue a request. Raises `RequestRejected`."""
        self._batches.submit(request)

    def step(self) -> list[Output]:
        """Generate the next batch to its end."""
        return self._batches.step()

    def abort(self, request_id: str) -> None:
        """Take a waiting request out of the queue."""
        self._batches.abort(request_id)

    def close(self) -> None:
        """Forget what is queued; the model stays loaded for other executors."""
        self._batches.close()

    def logits(self, token_ids: Sequence[int]) -> npt.NDArray[np.floating[Any]]:
        """Teacher-forced logits by one plain forward pass: float32 array `[len(token_ids), vocab_size]`."""
        use_attention(self._loaded.model, self._settings.attention)
        return full_logits(self._loaded.model, token_ids)

    def tokenize(self, content: str) -> tuple[int, ...]:
        """Token ids of a text. Raises `RequestRejected` for lone surrogates."""
        return text.encode(self._loaded.tokenizer, content)

    def detokenize(self, token_ids: Sequence[int]) -> str:
        """The text of a whole sequence."""
        return text.decode(self._loaded.tokenizer, token_ids)


def generate(loaded: LoadedModel, settings: GenerateSettings, requests: Sequence[Request]) -> list[Completion]:
    """Complete requests of one `batch_key` in one call (seeded samples in one call each)."""
    first = requests[0].sampling
    if first.seed is None:
        return _run(loaded, settings, requests, first.n)
    request = requests[0]
    completions: list[Completion] = []
    for index in range(first.n):
        with _seeded(first.seed, index, loaded.model.device):
            (sample,) = _run(loaded, settings, [request], 1, index)
        completions.append(sample)
    return completions


def _run(
    loaded: LoadedModel, settings: GenerateSettings, requests: Sequence[Request], samples: int, first_index: int = 0
) -> list[Completion]:
    model = loaded.model
    use_attention(model, settings.attention)
    input_ids, attention_mask = left_padded([request.prompt for request in requests], model.device)
    rows = [request for request in requests for _ in range(samples)]
    sampling = requests[0].sampling
    stop_strings = StopStringCriteria(loaded.tokenizer, list(sampling.stop)) if sampling.stop else None
    ends = RowEnds(input_ids.shape[1], [row.sampling.max_tokens for row in rows], sampling.stop, stop_strings)
    result = model.generate(
        input_ids=input_ids,
        attention_mask=attention_mask,
        generation_config=generation_config(requests, settings, samples),
        stopping_criteria=StoppingCriteriaList([ends]),
    )
    generated = result.sequences[:, input_ids.shape[1] :].tolist()
    return [
        completion(
            loaded.tokenizer,
            request,
            first_index + row % samples,
            generated[row],
            ends.stop_lengths.get(row),
            [step[row] for step in result.logits or ()],
        )
        for row, request in enumerate(rows)
    ]


@contextmanager
def _seeded(seed: int, index: int, device: torch.device) -> Iterator[None]:
    """Draws of one sample from a stream of its own; sample 0 has the stream of a request with `n` = 1."""
    with torch.random.fork_rng(devices=[device.index or 0] if device.type == "cuda" else []):
        torch.manual_seed((seed + index * _SAMPLE_STRIDE) % 2**63)
        yield
