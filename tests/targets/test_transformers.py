"""The transformers targets: the library against itself, and the adapters against the contract."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from targets.contract import (
    Detokenizes,
    Executor,
    FinishReason,
    KnobValue,
    Output,
    ReportsResources,
    Request,
    RequestRejected,
    SamplingParams,
    ScoresTokens,
    Target,
    Usage,
)
from targets.transformers import CONTINUOUS, GENERATE

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'inferfuzz[transformers]'")

import torch

from targets.hugging_face import tokenizer as text
from targets.hugging_face.continuous import ContinuousExecutor
from targets.hugging_face.generation import GenerateExecutor
from targets.hugging_face.rows import UNDECODABLE

LibraryExecutor = GenerateExecutor | ContinuousExecutor

TARGETS = [pytest.param(GENERATE, id="generate"), pytest.param(CONTINUOUS, id="continuous")]
GENERATOR = np.random.default_rng(7)
PROMPTS = tuple(
    tuple(int(token) for token in GENERATOR.integers(0, text.BOS_ID, length)) for length in (1, 7, 8, 9, 17, 40)
)
TOLERANCE = 1e-3
"""Float32: the largest difference seen between any two paths is 3e-5 (`maxd` over 6,000 comparisons)."""


@dataclass
class Answer:
    """The events of one sample, put together."""

    tokens: list[int] = field(default_factory=list)
    text: str = ""
    logprobs: list[float] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    stop_reason: str | int | None = None
    usage: Usage | None = None


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield GENERATE.load("cpu", "float32")
        torch.set_num_threads(threads)


@pytest.fixture(params=[GENERATE, CONTINUOUS], ids=["generate", "continuous"])
def executor(model: Any, request: pytest.FixtureRequest) -> Iterator[LibraryExecutor]:
    with contextlib.closing(opened(request.param, model)) as found:
        yield found


@pytest.fixture
def generating(model: Any) -> Iterator[GenerateExecutor]:
    with contextlib.closing(opened(GENERATE, model)) as found:
        assert isinstance(found, GenerateExecutor)
        yield found


@pytest.fixture
def continuous(model: Any) -> Iterator[ContinuousExecutor]:
    with contextlib.closing(opened(CONTINUOUS, model)) as found:
        assert isinstance(found, ContinuousExecutor)
        yield found


def request(name: str, prompt: tuple[int, ...], **sampling: Any) -> Request:
    return Request(id=name, prompt=prompt, sampling=SamplingParams(**{"temperature": 0, "max_tokens": 6, **sampling}))


def greedy_requests() -> list[Request]:
    return [request(f"r{index}", prompt, logprobs=0) for index, prompt in enumerate(PROMPTS)]


def collect(events: list[Output], answers: dict[tuple[str, int], Answer]) -> None:
    for event in events:
        answer = answers.setdefault((event.request_id, event.index), Answer())
        assert answer.finish_reason is None, "an event after the last one"
        answer.text += event.text
        if event.token_id is not None:
            answer.tokens.append(event.token_id)
        if event.logprobs is not None:
            answer.logprobs.append(event.logprobs.logprob)
        answer.finish_reason, answer.stop_reason, answer.usage = event.finish_reason, event.stop_reason, event.usage


def answers_of(executor: Executor, *requests: Request) -> dict[tuple[str, int], Answer]:
    answers: dict[tuple[str, int], Answer] = {}
    for asked in requests:
        executor.submit(asked)
    for _ in range(300):
        events = list(executor.step())
        if not events:
            return answers
        collect(events, answers)
    raise AssertionError("not finished after 300 steps")


def answer_of(executor: Executor, asked: Request) -> Answer:
    return answers_of(executor, asked)[asked.id, 0]


def fresh_answers(target: Target, model: Any, *requests: Request, **knobs: KnobValue) -> dict[tuple[str, int], Answer]:
    with contextlib.closing(target.open(model, **knobs)) as executor:
        return answers_of(executor, *requests)


def opened(target: Target, model: Any, **knobs: KnobValue) -> LibraryExecutor:
    executor = target.open(model, **knobs)
    assert isinstance(executor, GenerateExecutor | ContinuousExecutor)
    return executor


def test_the_documented_limits_are_those_of_the_model_and_tokenizer(model: Any) -> None:
    for limits in (GENERATE.limits, CONTINUOUS.limits):
        assert limits.vocab_size == len(model.tokenizer) == model.model.config.vocab_size
        assert limits.context_length == model.model.config.max_position_embeddings
        assert limits.eos_token_ids == (model.tokenizer.eos_token_id,)
        assert limits.pad_token_id == model.tokenizer.pad_token_id
        assert sorted(limits.special_token_ids) == sorted(model.tokenizer.all_special_ids)


@pytest.mark.parametrize("length", [4, 40, 110])
def test_one_changed_prompt_token_changes_the_greedy_continuation(model: Any, length: int) -> None:
    generator = torch.Generator().manual_seed(length)
    trials = 100
    prompts = torch.randint(0, text.BOS_ID, (trials, length), generator=generator)
    changed, rows = prompts.clone(), torch.arange(trials)
    positions = torch.randint(0, length, (trials,), generator=generator)
    shift = torch.randint(1, text.BOS_ID, (trials,), generator=generator)
    changed[rows, positions] = (changed[rows, positions] + shift) % text.BOS_ID
    before, after = (
        model.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=16, do_sample=False)[:, length:]
        for ids in (prompts, changed)
    )
    assert (before != after).any(dim=1).float().mean() > 0.9


def test_they_score_and_detokenize(executor: LibraryExecutor) -> None:
    assert isinstance(executor, ScoresTokens)
    assert isinstance(executor, Detokenizes)
    assert executor.logits((1, 2, 3)).shape == (3, GENERATE.limits.vocab_size)
    assert executor.logits(()).shape == (0, GENERATE.limits.vocab_size)


def test_continuous_batching_reports_its_resources(continuous: ContinuousExecutor) -> None:
    assert isinstance(continuous, ReportsResources)
    resources = continuous.resources()
    assert resources.total_blocks == resources.free_blocks == 2 * (CONTINUOUS.limits.total_blocks or 0)


@pytest.mark.parametrize("content", ["", "the é 😀 €\r\n", "<s></s>", "\x00", "日本語"])
def test_every_text_survives_tokenizing(generating: GenerateExecutor, content: str) -> None:
    assert generating.detokenize(generating.tokenize(content)) == content


def test_a_lone_surrogate_is_rejected(generating: GenerateExecutor) -> None:
    with pytest.raises(RequestRejected, match="text"):
        generating.tokenize("a\ud800")


@pytest.mark.parametrize("target", TARGETS)
def test_a_batch_answers_each_request_as_alone(model: Any, target: Target) -> None:
    together = fresh_answers(target, model, *greedy_requests())
    for asked in greedy_requests():
        alone = fresh_answers(target, model, asked)[asked.id, 0]
        assert together[asked.id, 0].tokens == alone.tokens
        assert together[asked.id, 0].logprobs == pytest.approx(alone.logprobs, abs=TOLERANCE)


def test_cached_decoding_has_the_logprobs_of_a_full_recompute(executor: LibraryExecutor) -> None:
    answers = answers_of(executor, *greedy_requests())
    for asked in greedy_requests():
        answer = answers[asked.id, 0]
        logits = executor.logits((*asked.prompt, *answer.tokens)).astype(np.float64)[len(asked.prompt) - 1 : -1]
        logprobs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        chosen = logprobs[np.arange(len(answer.tokens)), answer.tokens]
        assert answer.logprobs == pytest.approx(chosen, abs=TOLERANCE)
        assert chosen == pytest.approx(logprobs.max(axis=1), abs=TOLERANCE)


def test_the_same_requests_again_give_the_same_answers(executor: LibraryExecutor) -> None:
    first, again = (answers_of(executor, *greedy_requests()) for _ in range(2))
    assert {key: answer.tokens for key, answer in first.items()} == {key: one.tokens for key, one in again.items()}


@pytest.mark.parametrize(
    ("target", "setting"),
    [
        pytest.param(target, {knob.name: value}, id=f"{target.name}-{knob.name}-{value}")
        for target in (GENERATE, CONTINUOUS)
        for knob in target.knobs
        for value in knob.values
        if value != knob.default
    ],
)
def test_no_knob_changes_a_result(model: Any, target: Target, setting: dict[str, KnobValue]) -> None:
    plain = fresh_answers(target, model, *greedy_requests())
    turned = fresh_answers(target, model, *greedy_requests(), **setting)
    for key, answer in plain.items():
        assert turned[key].tokens == answer.tokens
        assert turned[key].logprobs == pytest.approx(answer.logprobs, abs=TOLERANCE)


def test_a_request_that_runs_to_its_limit_says_so(executor: LibraryExecutor) -> None:
    answer = answer_of(executor, request("a", PROMPTS[1], max_tokens=5, ignore_eos=True))
    assert (len(answer.tokens), answer.finish_reason) == (5, FinishReason.LENGTH)
    assert answer.text == executor.detokenize(answer.tokens)
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (len(PROMPTS[1]), 5)


def test_a_stop_token_is_reported_without_its_text(executor: LibraryExecutor) -> None:
    free = answer_of(executor, request("a", PROMPTS[2]))
    position = next(index for index, token in enumerate(free.tokens) if index and token not in free.tokens[:index])
    stop = free.tokens[position]
    answer = answer_of(executor, request("a", PROMPTS[2], stop_token_ids=(stop,)))
    assert answer.tokens == free.tokens[: position + 1]
    assert (answer.finish_reason, answer.stop_reason) == (FinishReason.STOP, stop)
    assert answer.text == executor.detokenize(answer.tokens[:-1])


def test_top_k_of_one_is_greedy_at_any_temperature(executor: LibraryExecutor) -> None:
    free = answer_of(executor, request("a", PROMPTS[3]))
    assert answer_of(executor, request("a", PROMPTS[3], temperature=2.0, top_k=1)).tokens == free.tokens


def test_samples_of_one_prompt_differ(executor: LibraryExecutor) -> None:
    answers = answers_of(executor, request("a", PROMPTS[4], temperature=2.0, n=4, max_tokens=12))
    assert [index for _, index in sorted(answers)] == [0, 1, 2, 3]
    assert len({tuple(answer.tokens) for answer in answers.values()}) > 1


@pytest.mark.parametrize("option", [{"presence_penalty": 1.0}, {"prompt_logprobs": 0}, {"temperature": -1.0}])
def test_a_request_outside_the_documented_domain_is_rejected(executor: LibraryExecutor, option: dict[str, Any]) -> None:
    with pytest.raises(RequestRejected, match=next(iter(option))):
        executor.submit(request("a", (1,), **option))


def test_an_id_in_use_is_rejected(executor: LibraryExecutor) -> None:
    executor.submit(request("a", (1,)))
    with pytest.raises(RequestRejected, match="id"):
        executor.submit(request("a", (2,)))


def test_a_seed_fixes_the_draws_whoever_else_runs(generating: GenerateExecutor) -> None:
    def seeded(name: str, seed: int) -> Request:
        return request(name, PROMPTS[1], temperature=1.0, seed=seed, max_tokens=12)

    alone = answer_of(generating, seeded("a", 5))
    together = answers_of(generating, seeded("b", 6), seeded("a", 5))
    assert together["a", 0].tokens == alone.tokens
    assert together["b", 0].tokens != alone.tokens


def test_the_first_seeded_sample_is_that_of_a_single_one(generating: GenerateExecutor) -> None:
    single = answer_of(generating, request("a", PROMPTS[1], temperature=1.0, seed=5))
    several = answers_of(generating, request("a", PROMPTS[1], temperature=1.0, seed=5, n=2))
    assert several["a", 0].tokens == single.tokens
    assert several["a", 1].tokens != single.tokens


@pytest.mark.parametrize("include", [False, True])
def test_the_earliest_stop_string_ends_the_text(generating: GenerateExecutor, include: bool) -> None:
    free = answer_of(generating, request("a", PROMPTS[1], max_tokens=40, ignore_eos=True)).text
    earlier, later = list(dict.fromkeys(letter for letter in free if letter.isascii()))[2:4]
    options = {"max_tokens": 40, "ignore_eos": True, "stop": (later, earlier), "include_stop": include}
    answer = answer_of(generating, request("a", PROMPTS[1], **options))
    assert (answer.finish_reason, answer.stop_reason) == (FinishReason.STOP, earlier)
    assert answer.text == free[: free.index(earlier)] + (earlier if include else "")


def test_a_stop_string_of_undecodable_bytes_ends_the_text(generating: GenerateExecutor) -> None:
    free = answer_of(generating, request("a", PROMPTS[1], max_tokens=40, ignore_eos=True)).text
    start = free.index(UNDECODABLE)
    stop = free[start : start + 2]
    answer = answer_of(generating, request("a", PROMPTS[1], max_tokens=40, ignore_eos=True, stop=(stop,)))
    assert (answer.text, answer.stop_reason) == (free[: free.index(stop)], stop)


def test_a_biased_token_is_chosen_and_a_banned_one_is_not(generating: GenerateExecutor) -> None:
    first = answer_of(generating, request("a", PROMPTS[1])).tokens[0]
    assert set(answer_of(generating, request("a", PROMPTS[1], logit_bias={65: 100.0})).tokens) == {65}
    assert answer_of(generating, request("a", PROMPTS[1], logit_bias={first: -100.0})).tokens[0] != first


def test_no_end_token_is_chosen_before_min_tokens(generating: GenerateExecutor) -> None:
    first = answer_of(generating, request("a", PROMPTS[1])).tokens[0]
    answer = answer_of(generating, request("a", PROMPTS[1], stop_token_ids=(first,), min_tokens=3))
    assert len(answer.tokens) >= 3
    assert first not in answer.tokens[:3]


def test_alternatives_come_best_first_and_the_greedy_token_is_the_best(generating: GenerateExecutor) -> None:
    generating.submit(request("a", PROMPTS[1], logprobs=3))
    for event in generating.step():
        assert event.logprobs is not None
        assert event.logprobs.top[0] == (event.token_id, event.logprobs.logprob)
        assert [value for _, value in event.logprobs.top] == sorted((v for _, v in event.logprobs.top), reverse=True)
        assert len(event.logprobs.top) == 3


@pytest.mark.parametrize("step", range(6))
def test_an_abort_at_any_step_ends_the_request_and_returns_its_blocks(model: Any, step: int) -> None:
    other = request("other", PROMPTS[1], max_tokens=4, ignore_eos=True)
    answers: dict[tuple[str, int], Answer] = {}
    with contextlib.closing(CONTINUOUS.open(model, chunk_size=8)) as executor:
        executor.submit(request("victim", PROMPTS[4], max_tokens=20, ignore_eos=True))
        executor.submit(other)
        for now in range(60):
            if now == step:
                executor.abort("victim")
            events = list(executor.step())
            collect(events, answers)
            if not events:
                break
        assert isinstance(executor, ReportsResources)
        resources = executor.resources()
    assert answers["victim", 0].finish_reason == FinishReason.ABORT
    assert answers["other", 0].tokens == fresh_answers(CONTINUOUS, model, other)["other", 0].tokens
    assert resources.free_blocks + resources.cached_blocks == resources.total_blocks
    assert (resources.running, resources.waiting) == (0, 0)


def test_a_repeated_prompt_comes_from_the_prefix_cache(continuous: ContinuousExecutor) -> None:
    first, second = (answer_of(continuous, request("a", PROMPTS[4])) for _ in range(2))
    assert first.usage is not None
    assert second.usage is not None
    assert (first.usage.cached_tokens, second.usage.cached_tokens) == (0, 16)
    assert second.tokens == first.tokens


def test_executors_of_one_model_keep_their_own_attention(model: Any) -> None:
    with contextlib.closing(opened(CONTINUOUS, model, attention="eager")) as eager:
        expected = answer_of(eager, request("a", PROMPTS[1])).tokens
        assert fresh_answers(GENERATE, model, request("a", PROMPTS[1]))["a", 0].tokens == expected
        assert answer_of(eager, request("a", PROMPTS[1])).tokens == expected


def test_a_continuous_request_streams_its_text_whole(continuous: ContinuousExecutor) -> None:
    answer = answer_of(continuous, request("a", PROMPTS[5], max_tokens=40, ignore_eos=True))
    assert answer.text == continuous.detokenize(answer.tokens)


@pytest.mark.parametrize("target", TARGETS)
def test_bfloat16_answers_stay_near_their_own_recompute(model: Any, target: Target) -> None:
    with contextlib.closing(opened(target, target.load("cpu", "bfloat16"))) as executor:
        answer = answer_of(executor, request("a", PROMPTS[3], logprobs=0))
        logits = executor.logits((*PROMPTS[3], *answer.tokens)).astype(np.float64)[len(PROMPTS[3]) - 1 : -1]
    chosen = logits[np.arange(len(answer.tokens)), answer.tokens]
    assert (logits.max(axis=1) - chosen).max() < 1.0


@pytest.mark.xfail(strict=True, raises=RuntimeError, reason="transformers 5.23 schedules a batch without any token")
def test_samples_of_a_prompt_of_one_token(model: Any) -> None:
    answers = fresh_answers(CONTINUOUS, model, request("a", (5,), temperature=1.0, n=2))
    assert len(answers) == 2


@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="transformers 5.23 matches stop strings in the prompt too"
)
def test_a_stop_string_that_begins_in_the_prompt_ends_nothing(generating: GenerateExecutor) -> None:
    prompt = (*PROMPTS[1], ord("$"))
    free = answer_of(generating, request("a", prompt))
    assert answer_of(generating, request("a", prompt, stop=(f"${free.text[0]}",))).tokens == free.tokens
