"""When two runs of a request count as different, as excused, or as the same."""

from __future__ import annotations

from typing import Any

import pytest

from fuzz.lab.compare import EXCUSED, SAME, Rule, compare_samples, largest_difference
from fuzz.lab.recording import Sample
from targets.contract import FinishReason, TokenLogprobs


def rule(gap: float | None = 1.0, eps: float = 0.01, exact: bool = False, recurs: bool = True) -> Rule:
    return Rule(exact=exact, floor=0.0, eps=lambda: eps, gap=lambda *_: gap, recurs=lambda: recurs)


def sample(*tokens: int, logprobs: tuple[float, ...] = (), **more: Any) -> Sample:
    reported = tuple(TokenLogprobs(logprob=value) for value in logprobs) or (None,) * len(tokens)
    return Sample(
        index=0, tokens=tokens, logprobs=reported, **{"finish_reason": FinishReason.LENGTH, "terminals": 1, **more}
    )


def slug(left: Sample, right: Sample, how: Rule, sampled: bool = False) -> str:
    found = compare_samples(left, right, how, sampled)
    assert not found.excused
    return found.difference.slug if found.difference else ""


def test_equal_runs_are_the_same() -> None:
    assert compare_samples(sample(1, 2), sample(1, 2), rule(), sampled=False) == SAME


def test_a_flipped_token_within_a_near_tie_is_excused() -> None:
    assert compare_samples(sample(1, 2, 3), sample(1, 9, 9), rule(gap=0.02), sampled=False) == EXCUSED


def test_a_flipped_token_with_a_wider_gap_is_a_difference() -> None:
    assert slug(sample(1, 2, 3), sample(1, 9, 9), rule(gap=0.021)) == "tokens-differ"


def test_nothing_is_excused_on_an_exact_path() -> None:
    assert slug(sample(1, 2), sample(1, 9), rule(gap=0.0, exact=True)) == "tokens-differ"


def test_log_probabilities_that_differ_count_although_the_tokens_agree() -> None:
    left, right = sample(1, 2, logprobs=(-1.0, -2.0)), sample(1, 2, logprobs=(-1.0, -2.02))

    assert slug(left, right, rule()) == "logprobs-differ"
    assert slug(left, right, rule(eps=0.1)) == ""


def test_log_probabilities_behind_a_flipped_token_are_not_compared() -> None:
    left, right = sample(1, 2, 3, logprobs=(-1.0, -2.0, -3.0)), sample(1, 9, 3, logprobs=(-1.0, -2.0, -9.0))

    assert compare_samples(left, right, rule(gap=0.0), sampled=False) == EXCUSED


def test_a_nan_is_never_within_eps() -> None:
    left, right = sample(1, logprobs=(-1.0,)), sample(1, logprobs=(float("nan"),))

    assert slug(left, right, rule(eps=100.0)) == "logprobs-differ"


@pytest.mark.parametrize(("recurs", "expected"), [(False, ""), (True, "tokens-differ")])
def test_a_sampled_token_is_excused_unless_the_disagreement_repeats(recurs: bool, expected: str) -> None:
    found = compare_samples(sample(1, 2), sample(1, 9), rule(gap=0.0, recurs=recurs), sampled=True)

    assert (found.difference.slug if found.difference else "") == expected
    assert found.excused is not recurs


def test_equal_tokens_must_end_alike() -> None:
    stopped = sample(1, 2, finish_reason=FinishReason.STOP)

    assert slug(sample(1, 2), stopped, rule()) == "finish-differs"
    assert slug(sample(1, 2, 3), sample(1, 2), rule()) == "finish-differs"


def test_equal_tokens_must_give_equal_text() -> None:
    assert slug(sample(1, deltas=("ab",)), sample(1, deltas=("a",)), rule()) == "text-differs"
    assert slug(sample(1, deltas=("ab",)), sample(1, deltas=("a", "b")), rule()) == ""


def test_an_aborted_run_is_compared_as_far_as_it_got() -> None:
    aborted = sample(1, 2, finish_reason=FinishReason.ABORT)

    assert slug(sample(1, 2, 3), aborted, rule()) == ""
    assert slug(sample(1, 8, 3), aborted, rule()) == "tokens-differ"


def test_who_leaves_early_need_not_see_the_error_that_comes_later() -> None:
    left, gone = sample(1, finish_reason=FinishReason.ERROR), sample(1, finish_reason=FinishReason.ABORT)

    assert slug(left, gone, rule()) == ""
    assert slug(left, sample(1), rule()) == "finish-differs"


def test_a_token_missing_from_one_list_must_not_beat_the_end_of_that_list() -> None:
    left = TokenLogprobs(logprob=-1.0, top=((1, -1.0), (2, -2.0)))
    near = TokenLogprobs(logprob=-1.0, top=((1, -1.0), (3, -2.001)))
    far = TokenLogprobs(logprob=-1.0, top=((1, -1.0), (3, -3.0)))

    assert largest_difference(left, near, same_token=True) == pytest.approx(0.001)
    assert largest_difference(left, far, same_token=True) == pytest.approx(1.0)
