"""What a request's sampling parameters and an executor's knobs are in the options of `generate`."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import GenerationConfig

from targets.contract import Request, SamplingParams
from targets.hugging_face.tiny_llama import CONTEXT_LENGTH
from targets.hugging_face.tokenizer import EOS_ID, PAD_ID


@dataclass(frozen=True)
class GenerateSettings:
    """Knobs of `generate`; none of them may change a result."""

    max_batch: int = 8
    cache: str = "dynamic"
    """`dynamic`, `static`, or `none` for recomputing everything."""
    attention: str = "sdpa"
    chunk_size: int = CONTEXT_LENGTH
    """Tokens of a prompt in one forward pass; without a cache it is always the whole prompt."""
    speculative: int = 0
    """Tokens drafted from the prompt (speculative decoding of greedy requests, one at a time); 0 is off."""


def batch_key(request: Request, settings: GenerateSettings) -> Hashable:
    """Requests with equal keys may share one call: `generate` takes one set of options for a whole batch.

    `max_tokens` is not part of it, it has a stopping criterion of its own. Seeded requests run alone, because a batch
    draws from one stream; so do drafted ones, because `generate` drafts for a single row only.
    """
    sampling = request.sampling
    alone = request.id if sampling.seed is not None or drafts(sampling, settings) else None
    return (
        alone,
        tuple(sorted((name, repr(value)) for name, value in processing_options(sampling).items())),
        end_token_ids(sampling),
        sampling.stop,
        sampling.n,
    )


def processing_options(sampling: SamplingParams) -> dict[str, Any]:
    """The options of `GenerationConfig` that shape the distribution; neutral ones are left out."""
    options: dict[str, Any] = {"do_sample": sampling.temperature > 0}
    if sampling.logit_bias:
        options["sequence_bias"] = {(token,): float(bias) for token, bias in sorted(sampling.logit_bias.items())}
    if sampling.repetition_penalty != 1:
        options["repetition_penalty"] = float(sampling.repetition_penalty)
    if sampling.min_tokens:
        options["min_new_tokens"] = sampling.min_tokens
    if sampling.temperature > 0:
        # The library's own default keeps 50 tokens, so "off" has to be said.
        options |= {"top_k": sampling.top_k, "temperature": float(sampling.temperature)}
        options |= {"top_p": float(sampling.top_p)} if sampling.top_p < 1 else {}
        options |= {"min_p": float(sampling.min_p)} if sampling.min_p > 0 else {}
    return options


def end_token_ids(sampling: SamplingParams) -> tuple[int, ...]:
    """Token ids that end the request: the end-of-sequence token unless ignored, and its own stop tokens."""
    eos = () if sampling.ignore_eos else (EOS_ID,)
    return tuple(dict.fromkeys((*eos, *sampling.stop_token_ids)))


def generation_config(requests: Sequence[Request], settings: GenerateSettings, samples: int) -> Any:
    """The options of one call for requests of one `batch_key`."""
    sampling = requests[0].sampling
    options = processing_options(sampling)
    if settings.cache == "static":
        options |= {"cache_implementation": "static", "disable_compile": True}
    if settings.chunk_size < CONTEXT_LENGTH and settings.cache != "none":
        options["prefill_chunk_size"] = settings.chunk_size
    if drafts(sampling, settings):
        options["prompt_lookup_num_tokens"] = settings.speculative
    return GenerationConfig(
        max_new_tokens=max(request.sampling.max_tokens for request in requests),
        eos_token_id=list(end_token_ids(sampling)) or None,
        pad_token_id=PAD_ID,
        num_return_sequences=samples,
        use_cache=settings.cache != "none",
        return_dict_in_generate=True,
        output_logits=any(request.sampling.logprobs is not None for request in requests),
        **options,
    )


def drafts(sampling: SamplingParams, settings: GenerateSettings) -> bool:
    """Whether the request runs with drafted tokens: greedy ones alone, with a cache that can take tokens back."""
    return settings.speculative > 0 and settings.cache == "dynamic" and sampling.temperature == 0
