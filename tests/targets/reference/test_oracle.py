"""The engine against the float64 oracle: every length from 0 to 3 blocks + 2, and chunk, window and context borders."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from targets.contract import Executor, Output, Request, SamplingParams, ScoresTokens
from targets.reference import DECODER, HASH, LIMITS, TERNARY
from targets.reference.model.batch import LanguageModel
from targets.reference.model.config import DecoderConfig
from targets.reference.oracle import DecoderOracle, HashOracle, greedy
from targets.reference.sampling.logprobs import log_softmax

Events = dict[tuple[str, int], list[Output]]
BLOCK, CHUNK, WINDOW, CONTEXT = 4, 16, 24, LIMITS.context_length
LENGTHS = [
    *range(1, 3 * BLOCK + 3),
    *(CHUNK - 1, CHUNK, CHUNK + 1, WINDOW - 1, WINDOW, WINDOW + 1, 2 * CHUNK, 2 * WINDOW + 1),
    *(CONTEXT - 3, CONTEXT - 2, CONTEXT - 1),
]
ORACLE = DecoderOracle(DecoderConfig())


def prompt_of(length: int) -> list[int]:
    return random.Random(length).choices(range(LIMITS.vocab_size), k=length)


def scores(executor: Executor, tokens: list[int]) -> npt.NDArray[np.floating[Any]]:
    assert isinstance(executor, ScoresTokens)
    return executor.logits(tokens)


def decoded(events: list[Output]) -> tuple[list[int], npt.NDArray[np.float64]]:
    """Tokens, and log-probabilities [tokens, vocab] by token id, from events with all alternatives."""
    tokens, rows = [], []
    for event in events:
        if event.token_id is not None and event.logprobs is not None:
            tokens.append(event.token_id)
            rows.append([score for _, score in sorted(event.logprobs.top)])
    return tokens, np.array(rows)


@pytest.mark.parametrize("length", [0, *LENGTHS, CONTEXT])
def test_scoring_agrees_to_1e_5(decoder: LanguageModel, length: int) -> None:
    tokens = prompt_of(length)
    difference = scores(DECODER.open(decoder), tokens) - ORACLE.logits(tokens)
    assert difference.shape == (length, LIMITS.vocab_size)
    assert np.abs(difference).max(initial=0.0) < 1e-5


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("adapter", [None, "terse"])
def test_decoding_through_the_paged_cache_agrees_to_1e_5(
    decoder: LanguageModel, play: Callable[..., Events], length: int, adapter: str | None
) -> None:
    prompt, count = prompt_of(length), min(6, CONTEXT - length)
    sampling = SamplingParams(temperature=0, max_tokens=count, logprobs=LIMITS.vocab_size, ignore_eos=True)
    request = Request(id="a", prompt=tuple(prompt), sampling=sampling, adapter=adapter)
    tokens, found = decoded(play(DECODER.open(decoder), request)["a", 0])
    expected = log_softmax(ORACLE.logits([*prompt, *tokens[:-1]], adapter)[length - 1 :])
    assert len(tokens) == count
    assert np.abs(found - expected).max() < 1e-5


def test_every_adapter_changes_the_logits() -> None:
    tokens = prompt_of(9)
    plain = ORACLE.logits(tokens)
    for adapter in LIMITS.adapters:
        assert np.abs(ORACLE.logits(tokens, adapter) - plain).max() > 0.1


def test_ternary_weights_agree_as_well() -> None:
    tokens = prompt_of(40)
    oracle = DecoderOracle(DecoderConfig(ternary=True))
    found = scores(TERNARY.open(TERNARY.load("cpu", "float32")), tokens)
    assert np.abs(found - oracle.logits(tokens)).max() < 1e-5


def test_bfloat16_stays_near() -> None:
    tokens = prompt_of(40)
    found = scores(DECODER.open(DECODER.load("cpu", "bfloat16")), tokens)
    assert np.abs(found - ORACLE.logits(tokens)).mean() < 0.2


@pytest.mark.parametrize("dtype", HASH.dtypes)
@pytest.mark.parametrize("length", [1, 5, 2 * WINDOW + 1, CONTEXT])
def test_the_hash_model_is_exact_in_every_dtype(dtype: str, length: int) -> None:
    tokens = prompt_of(length)
    found = scores(HASH.open(HASH.load("cpu", dtype)), tokens)
    assert np.array_equal(found, HashOracle().logits(tokens))
    ranked = np.sort(found, axis=-1)
    assert (ranked[:, -1] - ranked[:, -2]).min() >= 1.0


@pytest.mark.parametrize("knobs", [{}, {"chunk_size": 3, "speculative": 2}, {"block_size": 5, "poison": True}])
def test_the_hash_model_decodes_as_the_oracle_does(
    hash_model: LanguageModel, play: Callable[..., Events], knobs: dict[str, Any]
) -> None:
    prompt = prompt_of(30)
    request = Request(
        id="a", prompt=tuple(prompt), sampling=SamplingParams(temperature=0, max_tokens=9, ignore_eos=True)
    )
    events = play(HASH.open(hash_model, **knobs), request)["a", 0]
    tokens = [event.token_id for event in events if event.token_id is not None]
    assert tokens == greedy(HashOracle().logits, prompt, 9)
