from __future__ import annotations

import math

import numpy as np
import pytest

from targets.reference.sampling.logprobs import log_softmax, token_logprobs


def test_probabilities_sum_to_one_for_any_offset() -> None:
    logits = np.array([[1.0, 2.0, 3.0], [1000.0, 1000.0, -np.inf]])
    assert np.exp(log_softmax(logits)).sum(axis=-1) == pytest.approx([1.0, 1.0])
    assert log_softmax(logits)[0] == pytest.approx(log_softmax(logits + 50)[0])


def test_alternatives_are_sorted_and_ties_go_to_the_lowest_id() -> None:
    scored = token_logprobs(np.array([1.0, 2.0, 0.0, 2.0]), token=2, alternatives=3)
    assert [token for token, _ in scored.top] == [1, 3, 0]
    total = math.log(sum(math.exp(logit) for logit in (1, 2, 0, 2)))
    assert scored.logprob == pytest.approx(-total)
    assert scored.top[0][1] == pytest.approx(2 - total)


@pytest.mark.parametrize("alternatives", [0, 4])
def test_as_many_alternatives_as_asked(alternatives: int) -> None:
    assert len(token_logprobs(np.zeros(4), 1, alternatives).top) == alternatives
