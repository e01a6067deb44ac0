"""The GGUF file holds the model that transformers holds. Needs `gguf`, for the logits `llama_cpp`, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gguf", reason="needs pip install 'inferfuzz[server,llama-cpp]'")

import gguf
import torch

from targets.hugging_face.gguf_file import paired, write_gguf
from targets.hugging_face.tiny_llama import Recipe, build
from targets.hugging_face.tokenizer import EOS, EOS_ID, VOCAB_SIZE

_KV_ROUNDING = 0.05
"""llama.cpp keeps keys and values in 16 bits; logits reach 12."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_gguf(Recipe(), "{{ messages }}", path)
    return path


@pytest.fixture(scope="module")
def fields(file: Path) -> Any:
    return gguf.GGUFReader(file).fields


def test_every_weight_is_in_the_file(file: Path) -> None:
    model = build(Recipe())
    assert sum(int(one.n_elements) for one in gguf.GGUFReader(file).tensors) == model.num_parameters()


def test_the_vocabulary_is_the_tokenizers(fields: Any) -> None:
    tokens = fields["tokenizer.ggml.tokens"].contents()
    assert len(tokens) == VOCAB_SIZE
    assert tokens[EOS_ID] == EOS and fields["tokenizer.ggml.eos_token_id"].contents() == EOS_ID


def test_the_chat_template_comes_along(fields: Any) -> None:
    assert fields["tokenizer.chat_template"].contents() == "{{ messages }}"


def test_rows_that_are_rotated_together_are_neighbours() -> None:
    two_heads_of_four = torch.arange(8.0).reshape(8, 1)
    assert paired(two_heads_of_four, 2).flatten().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


@pytest.mark.slow
@pytest.mark.parametrize("text", ["hello, the world", "été ✅ \n\n a"])
def test_llama_cpp_computes_the_logits_of_transformers(file: Path, text: str) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="needs pip install 'inferfuzz[server,llama-cpp]'")
    llama = llama_cpp.Llama(str(file), n_ctx=256, n_threads=1, logits_all=True, verbose=False)
    tokens = llama.tokenize(text.encode(), add_bos=False)
    assert llama.detokenize(tokens) == text.encode()
    llama.eval(tokens)
    with torch.no_grad():
        expected = build(Recipe())(torch.tensor([tokens])).logits[0]
    found = torch.tensor(llama.scores[: len(tokens)])
    torch.testing.assert_close(found, expected, atol=_KV_ROUNDING, rtol=0)
