"""Breaking log-probabilities, limits and counts is seen by P10, P28, P29 or P30."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from targets.contract import FinishReason, SamplingParams, TokenLogprobs
from targets.reference import executor as engine
from targets.reference.executor import ReferenceExecutor
from targets.reference.sampling import logprobs, penalties
from targets.reference.text.stop import StopScanner

PROMPT = tuple(range(40, 54))
BYTES = 3
"""Token id of byte 0."""


def test_p10_sees_a_nan_among_the_log_probabilities(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(engine, "token_logprobs", lambda *_: TokenLogprobs(logprob=math.nan))

    assert signatures(make_trace(make_request(logprobs=0)), "P10") == {"P10/logprob-not-finite"}


def test_p10_sees_nan_logits(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    logits = ReferenceExecutor.logits

    def broken(self: ReferenceExecutor, token_ids: Any) -> Any:
        rows = logits(self, token_ids).copy()
        if len(token_ids) > len(PROMPT):
            rows[-1, 0] = math.nan
        return rows

    monkeypatch.setattr(ReferenceExecutor, "logits", broken)

    assert "P10/logits-not-finite" in signatures(make_trace(make_request()), "P10")


def test_p28_sees_a_logarithm_to_base_ten(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    exact = logprobs.token_logprobs

    def decimal(*arguments: Any) -> TokenLogprobs:
        found = exact(*arguments)
        return TokenLogprobs(logprob=found.logprob / math.log(10))

    monkeypatch.setattr(engine, "token_logprobs", decimal)

    assert signatures(make_trace(make_request(logprobs=0)), "P28") == {"P28/wrong-value"}


def test_p28_sees_a_list_of_the_worst_alternatives(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    def worst(logits: Any, token: int, alternatives: int) -> TokenLogprobs:
        scores = logprobs.log_softmax(logits)
        last = [int(entry) for entry in np.argsort(logits, kind="stable")[:alternatives]]
        return TokenLogprobs(logprob=float(scores[token]), top=tuple((one, float(scores[one])) for one in last))

    monkeypatch.setattr(engine, "token_logprobs", worst)

    assert signatures(make_trace(make_request(logprobs=3)), "P28") == {"P28/top-not-best"}


def test_p28_sees_prompt_log_probabilities_shifted_by_one(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    def shifted(item: Any, logits: Any) -> None:
        for position, row in enumerate(logits, start=item.sequence.computed):
            if position < item.sequence.prompt_length:
                token = item.sequence.tokens[position]
                item.sequence.prompt_logprobs[position] = logprobs.token_logprobs(row, token, 0)

    monkeypatch.setattr(engine, "collect_prompt_logprobs", shifted)

    assert signatures(make_trace(make_request(prompt_logprobs=0)), "P28") == {"P28/prompt-shape"}


def test_p29_sees_one_token_too_few(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    extend = ReferenceExecutor._extend_text

    def early(self: ReferenceExecutor, sequence: Any, token: int) -> Any:
        text, reason, stop = extend(self, sequence, token)
        if sequence.generated == sequence.sampling.max_tokens - 1:
            return text, FinishReason.LENGTH, None
        return text, reason, stop

    monkeypatch.setattr(ReferenceExecutor, "_extend_text", early)

    assert signatures(make_trace(make_request(ignore_eos=True)), "P29") == {"P29/length-too-early"}


def test_p29_sees_a_stop_string_that_is_missed_across_two_tokens(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    def forgetful(self: StopScanner, text: str) -> str:
        if any(stop in text for stop in self._stops):
            self.matched = next(stop for stop in self._stops if stop in text)
            return text[: text.index(self.matched)]
        return text

    monkeypatch.setattr(StopScanner, "push", forgetful)
    letter = BYTES + ord("a")

    trace = make_trace(make_request(logit_bias={letter: 100.0}, stop=("aa",), max_tokens=8))

    assert {"P29/stop-shown", "P29/stop-missed"} <= signatures(trace, "P29")


def test_p30_sees_a_first_token_that_depends_on_the_limit(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    process = penalties.process

    def limited(logits: Any, sampling: SamplingParams, *rest: Any) -> None:
        process(logits, sampling, *rest)
        if sampling.max_tokens < 5:
            logits[: logits.size // 2] -= 1e6

    monkeypatch.setattr(engine, "process", limited)

    assert "P30/tokens-differ" in signatures(make_trace(make_request(max_tokens=8, ignore_eos=True)), "P30")
