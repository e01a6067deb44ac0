"""The library transformers as two targets: `generate` with a KV cache, and continuous batching.

Both run a tiny Llama with random weights that is made in the user's cache folder; nothing is downloaded. This module
holds only what can be told without importing the library; `targets.hugging_face` does the work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from targets.contract import Domain, Executor, Knob, KnobValue, Limits, Target
from targets.devices import torch_devices
from targets.domain import DEFAULT_DOMAIN

if TYPE_CHECKING:
    from targets.hugging_face.tiny_llama import LoadedModel

_REQUIRES = {"torch": "pip install torch", "transformers": "pip install 'inferfuzz[transformers]'"}

# The vocabulary is 256 bytes, 41 merges and three special tokens; a test holds it against the tokenizer.
_VOCABULARY = 300
_SPECIAL = (297, 298, 299)
_EOS = 298
_PAD = 299
_CONTEXT = 128

GENERATE_DOMAIN = Domain(
    bounds=DEFAULT_DOMAIN.bounds,
    supported=(
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "repetition_penalty",
        "logit_bias",
        "seed",
        "stop",
        "include_stop",
        "stop_token_ids",
        "ignore_eos",
        "min_tokens",
        "max_tokens",
        "logprobs",
        "n",
    ),
)
"""`generate` has no presence and frequency penalties and reports no log-probabilities of the prompt."""

GENERATE_LIMITS = Limits(
    vocab_size=_VOCABULARY,
    context_length=_CONTEXT,
    eos_token_ids=(_EOS,),
    pad_token_id=_PAD,
    special_token_ids=_SPECIAL,
    max_batch=8,
    max_logprobs=20,
    max_samples=4,
)

CONTINUOUS_DOMAIN = Domain(
    bounds=DEFAULT_DOMAIN.bounds,
    supported=("temperature", "top_k", "top_p", "stop_token_ids", "ignore_eos", "max_tokens", "logprobs", "n"),
    cache_salt=False,
    logprobs_scale="processed",
)
"""What its requests can choose one by one; everything else is an option of the whole engine there."""

CONTINUOUS_LIMITS = replace(GENERATE_LIMITS, block_size=8, chunk_size=32, total_blocks=64, max_logprobs=0)


def load(device: str, dtype: str) -> LoadedModel:
    """The tiny Llama on a device. Raises `UsageError` if its folder in the cache is damaged or cannot be written."""
    from targets.hugging_face import tiny_llama

    return tiny_llama.load(device, dtype)


def open_generate(model: LoadedModel, **knobs: KnobValue) -> Executor:
    """An executor over `model.generate`; the knobs are those of `GENERATE`."""
    from targets.hugging_face.generate_options import GenerateSettings
    from targets.hugging_face.generation import GenerateExecutor

    settings: dict[str, Any] = dict(knobs)
    return GenerateExecutor(model, GenerateSettings(**settings), GENERATE_DOMAIN, GENERATE_LIMITS)


def open_continuous(model: LoadedModel, **knobs: KnobValue) -> Executor:
    """An executor over continuous batching; the knobs are those of `CONTINUOUS`."""
    from targets.hugging_face.continuous import ContinuousExecutor
    from targets.hugging_face.engine import EngineSettings

    settings: dict[str, Any] = dict(knobs)
    return ContinuousExecutor(model, EngineSettings(**settings), CONTINUOUS_DOMAIN, CONTINUOUS_LIMITS)


GENERATE = Target(
    name="transformers",
    summary="tiny Llama through generate with a KV cache",
    load=load,
    open=open_generate,
    limits=GENERATE_LIMITS,
    devices=torch_devices,
    dtypes=("float32", "bfloat16"),
    knobs=(
        Knob("max_batch", 8, (1, 2, 8), "requests in one call of generate"),
        Knob("cache", "dynamic", ("dynamic", "static", "none"), "kind of KV cache; none recomputes everything"),
        Knob("attention", "sdpa", ("sdpa", "eager"), "attention implementation"),
        Knob("chunk_size", _CONTEXT, (1, 8, 32, _CONTEXT), "prompt tokens in one forward pass"),
        Knob("speculative", 0, (0, 3), "tokens drafted from the prompt of a greedy request; 0 is off"),
    ),
    domain=GENERATE_DOMAIN,
    modules=(
        "transformers.cache_utils",
        "transformers.generation.logits_process",
        "transformers.generation.stopping_criteria",
    ),
    requires=_REQUIRES,
)

CONTINUOUS = Target(
    name="transformers-continuous",
    summary="tiny Llama through continuous batching",
    load=load,
    open=open_continuous,
    limits=CONTINUOUS_LIMITS,
    devices=torch_devices,
    dtypes=("float32", "bfloat16"),
    knobs=(
        Knob("block_size", 8, (4, 8, 16, 32), "tokens in one block of the KV cache"),
        # The smallest pool holds one request of full length at every block size above.
        Knob("total_blocks", 64, (32, 64, 256), "blocks in the pool, of greedy and of sampled requests each"),
        Knob("chunk_size", 32, (4, 8, 32, 128), "tokens in one forward pass, of all its requests"),
        Knob("max_batch", 8, (1, 2, 8), "requests in one forward pass"),
        Knob("prefix_cache", True, (True, False), "share blocks between requests with a common prefix"),
        Knob("scheduler", "fifo", ("fifo", "prefill_first"), "which requests go first"),
        Knob("attention", "sdpa", ("sdpa", "eager"), "attention implementation"),
    ),
    domain=CONTINUOUS_DOMAIN,
    modules=("transformers.generation.continuous_batching",),
    requires=_REQUIRES,
)
