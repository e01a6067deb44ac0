"""Random traces under random knobs: every request gets what it gets alone, and nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from targets.contract import FinishReason, Output, ReportsResources, Request, SamplingParams
from targets.reference import HASH, LIMITS
from targets.reference.model.batch import LanguageModel

Events = dict[tuple[str, int], list[Output]]
VOCAB = LIMITS.vocab_size
LENGTHS = (1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 23, 24, 25, 31, 33, 60)


def random_sampling(source: random.Random) -> SamplingParams:
    longest = source.choice([1, 2, 5, 12, 30])
    temperature = source.choice([0.0, 0.0, 0.7, 1.0, 2.0])
    sometimes: dict[str, Any] = {
        "top_k": source.choice([1, 5, VOCAB]),
        "top_p": source.choice([0.1, 0.9]),
        "min_p": 0.05,
        "repetition_penalty": source.choice([0.5, 1.3]),
        "presence_penalty": source.choice([-2.0, 2.0]),
        "frequency_penalty": source.choice([-2.0, 2.0]),
        "logit_bias": {2: source.choice([-100.0, 4.0, 100.0])},
        "stop": tuple(source.sample(["a", "in", "the", "\ufffd", "x", "ab"], 2)),
        "include_stop": True,
        "stop_token_ids": tuple(source.sample(range(VOCAB), 30)),
        "min_tokens": source.randint(0, longest),
        "logprobs": source.choice([0, 3]),
        "prompt_logprobs": 1,
        "n": 1 if temperature == 0 else source.randint(2, 4),
    }
    chosen = {name: value for name, value in sometimes.items() if source.random() < 0.15}
    return SamplingParams(temperature=temperature, max_tokens=longest, seed=source.randrange(9), **chosen)


def random_prompt(source: random.Random, earlier: list[Request]) -> tuple[int, ...]:
    if not earlier or source.random() < 0.4:
        return tuple(source.choices(range(source.choice([2, VOCAB])), k=source.choice(LENGTHS)))
    prompt = source.choice(earlier).prompt
    cut = source.randint(1, len(prompt))
    return source.choice([prompt, prompt[:cut], prompt + prompt[:cut], (*prompt[: cut - 1], 7, *prompt[cut:])])[:150]


def random_requests(source: random.Random) -> list[Request]:
    requests: list[Request] = []
    for number in range(source.randint(1, 6)):
        request = Request(
            id=str(number),
            prompt=random_prompt(source, requests),
            sampling=random_sampling(source),
            adapter=source.choice([None, None, *LIMITS.adapters]),
            cache_salt=source.choice([None, None, "s"]),
        )
        requests.append(request)
    return requests


def random_knobs(source: random.Random, requests: list[Request]) -> dict[str, Any]:
    size = source.choice([1, 2, 3, 4, 4, 5, 8])
    need = max(-(-(len(request.prompt) + request.sampling.max_tokens - 1) // size) for request in requests)
    return {
        "block_size": size,
        "total_blocks": need + source.choice([0, 0, 1, 3, need, 9 * need]),
        "chunk_size": source.choice([1, 3, 4, 5, 16, 64]),
        "prefix_cache": source.random() < 0.7,
        "max_batch": source.choice([1, 2, 3, 8]),
        "speculative": source.choice([0, 0, 1, 4]),
        "poison": source.random() < 0.5,
    }


def play_trace(source: random.Random, executor: Any, requests: list[Request]) -> Events:
    """Requests arrive and some are aborted at random steps."""
    arrivals = {request.id: source.choice([0, 0, source.randint(0, 20)]) for request in requests}
    aborts = {request.id: source.randint(0, 30) for request in requests if source.random() < 0.2}
    events: Events = {}
    for step in range(20_000):
        for request in requests:
            if arrivals[request.id] == step:
                executor.submit(request)
            if aborts.get(request.id) == step:
                executor.abort(request.id)
        out = executor.step()
        if not out and step > 30:
            return events
        for event in out:
            events.setdefault((event.request_id, event.index), []).append(event)
    raise AssertionError("the executor never came to rest")


def answer(events: list[Output]) -> tuple[list[int], str, Any]:
    tokens = [event.token_id for event in events if event.token_id is not None]
    return tokens, "".join(event.text for event in events), (events[-1].finish_reason, events[-1].stop_reason)


def check_trace(model: LanguageModel, play: Callable[..., Events], seed: int) -> None:
    source = random.Random(seed)
    requests = random_requests(source)
    executor = HASH.open(model, **random_knobs(source, requests))
    events = play_trace(source, executor, requests)
    assert isinstance(executor, ReportsResources)
    state = executor.resources()
    assert state.free_blocks + state.cached_blocks == state.total_blocks
    for request in requests:
        alone = play(HASH.open(model, prefix_cache=False), request)
        for index in range(request.sampling.n):
            found, expected = events[request.id, index], alone[request.id, index]
            assert [event.finish_reason is None for event in found] == [True] * (len(found) - 1) + [False]
            if found[-1].finish_reason is FinishReason.ABORT:
                assert answer(expected)[0][: len(answer(found)[0])] == answer(found)[0]
            else:
                assert answer(found) == answer(expected)


@pytest.mark.parametrize("model", ["hash_model", "decoder"])
def test_random_traces_give_what_each_request_gets_alone(
    model: str, play: Callable[..., Events], request: pytest.FixtureRequest
) -> None:
    for seed in range(30):
        check_trace(request.getfixturevalue(model), play, seed)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("model", ["hash_model", "decoder"])
def test_many_random_traces_give_what_each_request_gets_alone(
    model: str, play: Callable[..., Events], request: pytest.FixtureRequest
) -> None:
    for seed in range(1000, 1600):
        check_trace(request.getfixturevalue(model), play, seed)
