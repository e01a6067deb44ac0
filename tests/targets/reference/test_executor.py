from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from targets.contract import (
    Detokenizes,
    Executor,
    FinishReason,
    Output,
    ReportsResources,
    Request,
    RequestRejected,
    Resources,
    SamplingParams,
    ScoresTokens,
)
from targets.reference import HASH, KNOBS, LIMITS
from targets.reference.executor import ReferenceExecutor
from targets.reference.model.batch import Batch, LanguageModel
from targets.reference.sampling.logprobs import log_softmax
from targets.reference.text.tokenizer import EOS, decode, encode

Events = dict[tuple[str, int], list[Output]]
Play = Callable[..., Events]
PROMPT = encode("The cat sat on the mat, and the")


def ask(name: str = "a", prompt: tuple[int, ...] = PROMPT, **sampling: Any) -> Request:
    options = {"temperature": 0.0, "max_tokens": 12, **sampling}
    return Request(id=name, prompt=prompt, sampling=SamplingParams(**options))


def tokens_of(events: list[Output]) -> list[int]:
    return [event.token_id for event in events if event.token_id is not None]


def text_of(events: list[Output]) -> str:
    return "".join(event.text for event in events)


def resources_of(executor: Executor) -> Resources:
    assert isinstance(executor, ReportsResources)
    return executor.resources()


def test_the_executor_offers_every_capability_of_an_engine(hash_model: LanguageModel) -> None:
    executor = HASH.open(hash_model)
    assert isinstance(executor, Executor)
    assert isinstance(executor, ScoresTokens)
    assert isinstance(executor, ReportsResources)
    assert isinstance(executor, Detokenizes)


@pytest.mark.parametrize("token", [-1, LIMITS.vocab_size])
def test_an_id_outside_the_vocabulary_has_neither_text_nor_logits(hash_model: LanguageModel, token: int) -> None:
    executor = HASH.open(hash_model)
    assert isinstance(executor, Detokenizes) and isinstance(executor, ScoresTokens)
    for ask_for in (executor.detokenize, executor.logits):
        with pytest.raises(RequestRejected, match=r"token_ids\[1\]"):
            ask_for((5, token))


def test_a_request_ends_with_one_event_that_says_why_and_how_much(hash_model: LanguageModel, play: Play) -> None:
    events = play(HASH.open(hash_model), ask(ignore_eos=True))["a", 0]
    assert [event.finish_reason for event in events] == [None] * (len(events) - 1) + [FinishReason.LENGTH]
    assert len(tokens_of(events)) == 12
    usage = events[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (len(PROMPT), 12, 0)
    assert text_of(events) == decode(tokens_of(events))


def test_a_step_is_empty_only_when_idle_and_a_partial_prompt_gives_one_bare_event(hash_model: LanguageModel) -> None:
    executor = HASH.open(hash_model, chunk_size=4)
    assert list(executor.step()) == []
    executor.submit(ask(prompt=PROMPT[:9], max_tokens=1))
    assert list(executor.step()) == [Output(request_id="a")]
    assert list(executor.step()) == [Output(request_id="a")]
    (last,) = executor.step()
    assert last.finish_reason is FinishReason.LENGTH
    assert list(executor.step()) == []


def test_a_repeated_prompt_is_cached_and_gives_the_same_tokens(hash_model: LanguageModel, play: Play) -> None:
    executor = HASH.open(hash_model)
    first = play(executor, ask("a"))["a", 0]
    second = play(executor, ask("b"))["b", 0]
    assert tokens_of(first) == tokens_of(second)
    usage = second[-1].usage
    assert usage is not None
    assert usage.cached_tokens == (len(PROMPT) - 1) // 4 * 4


def test_a_prompt_that_goes_on_with_a_completion_reuses_it(hash_model: LanguageModel, play: Play) -> None:
    executor = HASH.open(hash_model)
    completion = tokens_of(play(executor, ask("a", ignore_eos=True))["a", 0])
    longer = (*PROMPT, *completion)
    events = play(executor, ask("b", longer))["b", 0]
    assert tokens_of(events) == tokens_of(play(HASH.open(hash_model), ask("b", longer))["b", 0])
    usage = events[-1].usage
    assert usage is not None
    assert usage.cached_tokens == (len(longer) - 1) // 4 * 4


@pytest.mark.parametrize("change", [{"adapter": "terse"}, {"cache_salt": "x"}])
def test_another_adapter_or_salt_does_not_share_blocks(
    hash_model: LanguageModel, play: Play, change: dict[str, Any]
) -> None:
    executor = HASH.open(hash_model)
    play(executor, ask("a"))
    other = Request(id="b", prompt=PROMPT, sampling=ask().sampling, **change)
    usage = play(executor, other)["b", 0][-1].usage
    assert usage is not None
    assert usage.cached_tokens == 0


def test_adapters_answer_differently_from_each_other(hash_model: LanguageModel, play: Play) -> None:
    requests = [Request(id=str(name), prompt=PROMPT, sampling=ask().sampling, adapter=name) for name in (None, "terse")]
    requests.append(Request(id="formal", prompt=PROMPT, sampling=ask().sampling, adapter="formal"))
    events = play(HASH.open(hash_model), *requests)
    assert len({tuple(tokens_of(answer)) for answer in events.values()}) == 3


@pytest.mark.parametrize("knob", [knob for knob in KNOBS if not knob.costly], ids=lambda knob: knob.name)
@pytest.mark.parametrize("model", ["hash_model", "decoder"])
def test_no_knob_changes_any_token(model: str, knob: Any, play: Play, request: pytest.FixtureRequest) -> None:
    loaded: LanguageModel = request.getfixturevalue(model)
    prompts = [PROMPT, PROMPT[:17], PROMPT[:24] * 2, PROMPT[3:8]]
    asked = [ask(str(place), prompt, n=2, temperature=0.9, seed=place) for place, prompt in enumerate(prompts)]
    answers = []
    for value in knob.values:
        events = play(HASH.open(loaded, **{knob.name: value}), *asked)
        answers.append({key: (tokens_of(answer), text_of(answer)) for key, answer in events.items()})
    assert all(answer == answers[0] for answer in answers)


def test_a_small_pool_preempts_and_still_gives_the_same_tokens(hash_model: LanguageModel, play: Play) -> None:
    asked = [ask(str(place), PROMPT[place:], max_tokens=30, ignore_eos=True) for place in range(4)]
    waited = 0
    ample, tight = HASH.open(hash_model), HASH.open(hash_model, total_blocks=18, poison=True)
    expected = play(ample, *asked)
    for request in asked:
        tight.submit(request)
    events: Events = {}
    most = 0
    while out := tight.step():
        running = resources_of(tight).running
        waited += running < most
        most = max(most, running)
        for event in out:
            events.setdefault((event.request_id, event.index), []).append(event)
    assert waited > 0
    assert {key: tokens_of(answer) for key, answer in events.items()} == {
        key: tokens_of(answer) for key, answer in expected.items()
    }


def test_wrong_drafts_change_nothing_and_right_ones_save_steps(hash_model: LanguageModel, play: Play) -> None:
    again = ask(logit_bias={45: 100.0}, max_tokens=12)
    plain, fast = HASH.open(hash_model), HASH.open(hash_model, speculative=4)
    plain.submit(again)
    fast.submit(again)
    steps = [sum(1 for _ in iter(executor.step, [])) for executor in (plain, fast)]
    assert steps[1] < steps[0] // 2
    assert tokens_of(play(HASH.open(hash_model, speculative=4), ask())["a", 0]) == tokens_of(
        play(HASH.open(hash_model), ask())["a", 0]
    )


@pytest.mark.parametrize("step", range(14))
def test_an_abort_at_any_step_ends_the_request_and_frees_its_blocks(
    hash_model: LanguageModel, drain: Callable[[Executor], Events], step: int
) -> None:
    executor = HASH.open(hash_model, chunk_size=8, max_batch=2)
    for request in (ask("x", max_tokens=3), ask("a", PROMPT[2:], n=2, temperature=1.0, seed=1, max_tokens=4), ask("y")):
        executor.submit(request)
    seen = [event for _ in range(step) for event in executor.step()]
    executor.abort("a")
    executor.abort("a")
    ends = [event for event in seen if event.request_id == "a" and event.finish_reason]
    for answer in drain(executor).values():
        ends += [event for event in answer if event.request_id == "a" and event.finish_reason]
    assert sorted(event.index for event in ends) == [0, 1]
    assert all(event.usage is not None for event in ends)
    state = resources_of(executor)
    assert state.free_blocks + state.cached_blocks == state.total_blocks
    assert (state.running, state.waiting) == (0, 0)


def test_an_abort_leaves_neighbours_alone(hash_model: LanguageModel, play: Play) -> None:
    expected = play(HASH.open(hash_model), ask("b", PROMPT[1:]))["b", 0]
    executor = HASH.open(hash_model)
    executor.submit(ask("a"))
    executor.submit(ask("b", PROMPT[1:]))
    events = [*executor.step(), *executor.step()]
    executor.abort("a")
    while out := executor.step():
        events += out
    assert tokens_of([event for event in events if event.request_id == "b"]) == tokens_of(expected)


def test_aborting_an_unknown_or_finished_id_does_nothing(hash_model: LanguageModel, play: Play) -> None:
    executor = HASH.open(hash_model)
    executor.abort("nobody")
    play(executor, ask("a"))
    executor.abort("a")
    assert list(executor.step()) == []


def test_an_id_in_use_is_refused_and_a_finished_one_is_free_again(hash_model: LanguageModel, play: Play) -> None:
    executor = HASH.open(hash_model)
    executor.submit(ask("a"))
    with pytest.raises(RequestRejected, match="not in use"):
        executor.submit(ask("a"))
    executor.abort("a")
    (ended,) = executor.step()
    assert ended.finish_reason is FinishReason.ABORT
    assert tokens_of(play(executor, ask("a"))["a", 0])


def test_samples_differ_and_the_first_is_the_single_one(hash_model: LanguageModel, play: Play) -> None:
    several = play(HASH.open(hash_model), ask(n=4, temperature=1.0, seed=5, max_tokens=8))
    single = play(HASH.open(hash_model), ask(n=1, temperature=1.0, seed=5, max_tokens=8))
    answers = [tuple(tokens_of(several["a", index])) for index in range(4)]
    assert len(set(answers)) == 4
    assert answers[0] == tuple(tokens_of(single["a", 0]))


def test_requests_without_a_seed_differ_from_each_other(hash_model: LanguageModel, play: Play) -> None:
    events = play(HASH.open(hash_model), ask("a", temperature=1.0), ask("b", temperature=1.0))
    assert tokens_of(events["a", 0]) != tokens_of(events["b", 0])


def test_an_end_token_is_reported_but_not_shown(hash_model: LanguageModel, play: Play) -> None:
    executor = HASH.open(hash_model)
    forced = ask("a", logit_bias={EOS: 100.0}, min_tokens=3)
    events = play(executor, forced)["a", 0]
    assert tokens_of(events)[3:] == [EOS]
    assert events[-1].finish_reason is FinishReason.STOP
    assert events[-1].stop_reason == EOS
    letter = encode("x")[0]
    stopped = play(executor, ask("b", logit_bias={letter: 100.0}, stop_token_ids=(letter,)))["b", 0]
    assert (tokens_of(stopped), text_of(stopped), stopped[-1].stop_reason) == ([letter], "", letter)


def test_a_stop_string_ends_the_text_and_wins_over_the_length(hash_model: LanguageModel, play: Play) -> None:
    letter = encode("x")[0]
    forced = ask(logit_bias={letter: 100.0}, stop=("xxx",), max_tokens=3)
    events = play(HASH.open(hash_model), forced)["a", 0]
    assert (events[-1].finish_reason, events[-1].stop_reason) == (FinishReason.STOP, "xxx")
    assert (len(tokens_of(events)), text_of(events)) == (3, "")


def test_logprobs_are_those_of_the_raw_logits(decoder: LanguageModel, play: Play) -> None:
    executor = HASH.open(decoder)
    assert isinstance(executor, ScoresTokens)
    request = ask(logprobs=3, prompt_logprobs=2, temperature=0.5, seed=1, presence_penalty=1.0, max_tokens=6)
    events = play(executor, request)["a", 0]
    whole = [*PROMPT, *tokens_of(events)]
    expected = log_softmax(executor.logits(whole).astype(np.float64))
    prompt = next(event.prompt_logprobs for event in events if event.token_id is not None)
    assert prompt is not None
    assert prompt[0] is None
    scored = [*prompt[1:], *(event.logprobs for event in events if event.token_id is not None)]
    for place, entry in enumerate(scored):
        assert entry is not None
        assert entry.logprob == pytest.approx(expected[place, whole[place + 1]], abs=1e-5)
        assert len(entry.top) == (2 if place + 1 < len(PROMPT) else 3)


def test_nothing_is_allowed_when_every_token_stops_before_min_tokens(hash_model: LanguageModel, play: Play) -> None:
    everything = tuple(range(LIMITS.vocab_size))
    executor = HASH.open(hash_model)
    events = play(executor, ask("a", min_tokens=1, stop_token_ids=everything), ask("b"))
    assert events["a", 0][-1].finish_reason is FinishReason.ERROR
    assert "suppressed" in events["a", 0][-1].error
    assert tokens_of(events["b", 0])


class Broken:
    """The hash model with NaN logits for one adapter."""

    def __init__(self, model: LanguageModel) -> None:
        self.adapters = model.adapters
        self.new_cache, self.poison, self._forward = model.new_cache, model.poison, model.forward

    def forward(self, batch: Batch, cache: Any, compiled: bool = False) -> Any:
        logits = self._forward(batch, cache, compiled)
        logits[batch.adapters[batch.rows] > 0] = np.nan
        return logits


def test_logits_that_are_not_finite_end_only_their_own_request(hash_model: LanguageModel, play: Play) -> None:
    executor = HASH.open(Broken(hash_model))
    faulty = Request(id="a", prompt=PROMPT, sampling=ask().sampling, adapter="terse")
    events = play(executor, faulty, ask("b"))
    assert events["a", 0][-1].finish_reason is FinishReason.ERROR
    assert "not finite" in events["a", 0][-1].error
    assert tokens_of(events["b", 0]) == tokens_of(play(HASH.open(hash_model), ask("b"))["b", 0])
    state = resources_of(executor)
    assert state.free_blocks + state.cached_blocks == state.total_blocks


def test_closing_releases_everything(hash_model: LanguageModel) -> None:
    executor = HASH.open(hash_model)
    executor.submit(ask())
    executor.step()
    executor.close()
    assert resources_of(executor).running == 0
    assert isinstance(executor, ReferenceExecutor)
