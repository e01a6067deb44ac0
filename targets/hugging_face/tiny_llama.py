"""A tiny Llama with random weights, saved and loaded by the library's own code; nothing is downloaded."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from targets.hugging_face.model_folder import cache_root, ensure_folder
from targets.hugging_face.tokenizer import BOS, BOS_ID, EOS, EOS_ID, MERGES, PAD, PAD_ID, VOCAB_SIZE, build_tokenizer

CONTEXT_LENGTH = 128


@dataclass(frozen=True)
class Recipe:
    """Shape and weight scales of the model.

    The library's default initialisation gives nearly flat logits that ignore most of the prompt. These scales make
    attention selective and its contribution outweigh the token's own embedding, so that one changed prompt token
    changes the greedy continuation (measured by a test).
    """

    hidden_size: int = 64
    intermediate_size: int = 128
    layers: int = 2
    heads: int = 4
    key_value_heads: int = 2
    seed: int = 0
    query_key_scale: float = 2.5
    value_output_scale: float = 4.0
    mlp_scale: float = 1.0
    logit_scale: float = 3.0

    def scale(self, parameter: str) -> float | None:
        """Standard deviation of that matrix's outputs for unit inputs; None leaves the parameter as it is."""
        kind = parameter.split(".")[-2]
        if kind in ("q_proj", "k_proj"):
            return self.query_key_scale
        if kind in ("v_proj", "o_proj"):
            return self.value_output_scale
        if kind in ("gate_proj", "up_proj", "down_proj"):
            return self.mlp_scale
        return self.logit_scale if kind == "lm_head" else None


@dataclass(frozen=True)
class LoadedModel:
    """The model on its device, and its tokenizer."""

    model: Any
    tokenizer: Any


def load(device: str, dtype: str) -> LoadedModel:
    """Load the model from the cache folder, made there first if need be. Raises `UsageError` if it is damaged."""
    folder = ensure_folder(cache_root(), folder_name(Recipe()), lambda draft: save(Recipe(), draft))
    return load_folder(folder, device, dtype)


def folder_name(recipe: Recipe) -> str:
    """A name that changes with the recipe and with the library, whose file formats change too."""
    digest = hashlib.sha256(repr((sorted(asdict(recipe).items()), MERGES, BOS, EOS, PAD)).encode()).hexdigest()[:8]
    return f"tiny-llama-{digest}-transformers-{transformers.__version__}"


def save(recipe: Recipe, folder: Path) -> None:
    """Write model and tokenizer into an existing folder with `save_pretrained`."""
    with _quiet():
        build(recipe).save_pretrained(folder)
        build_tokenizer().save_pretrained(folder)


def load_folder(folder: Path, device: str, dtype: str) -> LoadedModel:
    """Model and tokenizer of a folder, from local files only."""
    with _quiet():
        model = LlamaForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), local_files_only=True)
    # Every option comes with the request: defaults of the saved model must not fill in what a request leaves out.
    model.generation_config = GenerationConfig(pad_token_id=PAD_ID)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    return LoadedModel(model.to(device).eval(), tokenizer)


def build(recipe: Recipe) -> Any:
    """A `LlamaForCausalLM` in float32 on the CPU, the same weights on every call."""
    config = LlamaConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=recipe.hidden_size,
        intermediate_size=recipe.intermediate_size,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.key_value_heads,
        max_position_embeddings=CONTEXT_LENGTH,
        tie_word_embeddings=False,
        bos_token_id=BOS_ID,
        eos_token_id=EOS_ID,
        pad_token_id=PAD_ID,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(recipe.seed)
    with torch.no_grad():
        model.model.embed_tokens.weight.normal_(generator=generator)
        for name, weight in model.named_parameters():
            scale = recipe.scale(name)
            if scale is not None:
                weight.normal_(std=scale / weight.shape[1] ** 0.5, generator=generator)
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars on a terminal that shows a campaign."""
    logging = transformers.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
