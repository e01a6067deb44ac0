"""The tiny Llama as a GGUF file, the format that llama.cpp loads; made of the same weights and tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import torch
from transformers.convert_slow_tokenizer import bytes_to_unicode

from targets.hugging_face.tiny_llama import Recipe, build
from targets.hugging_face.tokenizer import BOS_ID, EOS_ID, MERGES, PAD_ID, build_tokenizer

_SPECIAL = (BOS_ID, EOS_ID, PAD_ID)


def write_gguf(recipe: Recipe, chat_template: str, file: Path) -> None:
    """Write weights (float32), hyperparameters, tokenizer and chat template of the model that `build` makes."""
    model = build(recipe)
    writer = gguf.GGUFWriter(file, "llama")
    _add_hyperparameters(writer, model.config)
    _add_tokenizer(writer)
    writer.add_chat_template(chat_template)
    _add_tensors(writer, model)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_hyperparameters(writer: Any, config: Any) -> None:
    writer.add_name("tiny-llama")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])


def _add_tokenizer(writer: Any) -> None:
    vocabulary: dict[str, int] = build_tokenizer().get_vocab()
    letters = bytes_to_unicode()
    writer.add_tokenizer_model("gpt2")
    # llama.cpp knows no byte-level vocabulary without a rule that splits words; merges across words stay unused there.
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(sorted(vocabulary, key=vocabulary.__getitem__))
    kinds = gguf.TokenType
    writer.add_token_types([kinds.CONTROL if one in _SPECIAL else kinds.NORMAL for one in range(len(vocabulary))])
    writer.add_token_merges([f"{letters[left]} {letters[right]}" for left, right in MERGES])
    writer.add_bos_token_id(BOS_ID)
    writer.add_eos_token_id(EOS_ID)
    writer.add_pad_token_id(PAD_ID)
    writer.add_add_bos_token(False)


def _add_tensors(writer: Any, model: Any) -> None:
    config = model.config
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, parameter in model.named_parameters():
        weight = parameter.detach()
        if count := heads.get(name.split(".")[-2]):
            weight = paired(weight, count)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), weight.numpy())


def paired(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of a query or key matrix [heads * d, columns] in the order that llama.cpp rotates them.

    transformers rotates row i of a head together with row i + d / 2, llama.cpp row 2i together with row 2i + 1.
    """
    halves = weight.reshape(heads, 2, -1, weight.shape[1])
    return halves.transpose(1, 2).reshape(weight.shape).contiguous()
