"""Whether a defect would show: what the engine does wrong must change the greedy continuation."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from targets.reference.model.batch import Batch, LanguageModel, Piece, flatten
from targets.reference.text.tokenizer import VOCAB_SIZE

BLOCK = 4
PROMPTS = 120
LONGEST = 120
CONTINUATION = 16
"""Tokens compared: the default length of an answer."""

Alter = Callable[[Batch], Batch]


def continuations(
    model: LanguageModel, prompts: list[list[int]], alter: Alter = lambda batch: batch
) -> list[list[int]]:
    """Greedy continuations of all prompts in one batch; `alter` plays a defect of the decoding steps."""
    blocks = -(-(LONGEST + CONTINUATION) // BLOCK)
    cache = model.new_cache(BLOCK * blocks * len(prompts))
    sequences, computed = [list(prompt) for prompt in prompts], [0] * len(prompts)
    for step in range(CONTINUATION):
        pieces = [
            Piece(tokens[done:], done, range(place * blocks, (place + 1) * blocks), 0)
            for place, (tokens, done) in enumerate(zip(sequences, computed, strict=True))
        ]
        ends = np.cumsum([len(piece.tokens) for piece in pieces]) - 1
        batch = flatten(pieces, ends.tolist(), BLOCK)
        chosen = model.forward(batch if step == 0 else alter(batch), cache).argmax(axis=-1).tolist()
        computed = [len(tokens) for tokens in sequences]
        for tokens, token in zip(sequences, chosen, strict=True):
            tokens.append(token)
    return [tokens[len(prompt) :] for tokens, prompt in zip(sequences, prompts, strict=True)]


def random_prompts(source: random.Random) -> list[list[int]]:
    return [source.choices(range(VOCAB_SIZE), k=source.randint(2, LONGEST)) for _ in range(PROMPTS)]


def repetitive_prompts(source: random.Random) -> list[list[int]]:
    prompts = []
    for _ in range(PROMPTS):
        motif = source.choices(range(VOCAB_SIZE), k=source.randint(1, 3))
        prompts.append((motif * LONGEST)[: source.randint(2, LONGEST)])
    return prompts


def changed(one: list[list[int]], two: list[list[int]]) -> float:
    return sum(a != b for a, b in zip(one, two, strict=True)) / len(one)


@pytest.fixture(params=[("decoder", 0.9), ("hash_model", 0.99)], ids=lambda param: param[0])
def model_and_share(request: pytest.FixtureRequest) -> tuple[LanguageModel, float]:
    return request.getfixturevalue(request.param[0]), request.param[1]


@pytest.mark.parametrize("make", [random_prompts, repetitive_prompts])
def test_changing_any_one_prompt_token_changes_the_answer(
    model_and_share: tuple[LanguageModel, float], make: Callable[[random.Random], list[list[int]]]
) -> None:
    model, share = model_and_share
    source = random.Random(1)
    prompts = make(source)
    others = [list(prompt) for prompt in prompts]
    for prompt in others:
        place = source.randrange(len(prompt))
        prompt[place] = (prompt[place] + source.randrange(1, VOCAB_SIZE)) % VOCAB_SIZE
    assert changed(continuations(model, prompts), continuations(model, others)) > share


def test_dropping_any_one_cache_slot_changes_the_answer(model_and_share: tuple[LanguageModel, float]) -> None:
    model, share = model_and_share
    source = random.Random(2)
    prompts = random_prompts(source)
    dropped = [source.randrange(len(prompt)) for prompt in prompts]

    def without_slot(batch: Batch) -> Batch:
        distance = batch.distance.copy()
        distance[np.arange(len(dropped)), dropped] = -1
        return replace(batch, distance=distance)

    assert changed(continuations(model, prompts), continuations(model, prompts, without_slot)) > share


def test_shifting_positions_by_one_changes_the_answer(model_and_share: tuple[LanguageModel, float]) -> None:
    model, share = model_and_share
    prompts = random_prompts(random.Random(3))

    def shifted(batch: Batch) -> Batch:
        return replace(batch, positions=batch.positions + 1)

    assert changed(continuations(model, prompts), continuations(model, prompts, shifted)) > share
