"""The float64 sampler: documented order of filters, and what is certain about their borders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fuzz.lab.sampling import probabilities, processed, support
from targets.contract import Limits, SamplingParams

LIMITS = Limits(vocab_size=6, context_length=32, eos_token_ids=(0,))
ROW = np.log(np.array([0.05, 0.4, 0.3, 0.15, 0.08, 0.02]))


def kept(**options: Any) -> set[int]:
    certain, possible = support(ROW, SamplingParams(**options), 1e-9)
    assert set(np.flatnonzero(certain)) == set(np.flatnonzero(possible))
    return {int(token) for token in np.flatnonzero(possible)}


def test_without_filters_every_token_may_be_drawn() -> None:
    assert kept() == {0, 1, 2, 3, 4, 5}


def test_greedy_leaves_the_best_token() -> None:
    assert kept(temperature=0.0) == {1}


def test_top_k_keeps_the_best_k() -> None:
    assert kept(top_k=2) == {1, 2}
    assert kept(top_k=7) == {0, 1, 2, 3, 4, 5}


def test_top_p_keeps_the_token_that_crosses_it() -> None:
    assert kept(top_p=0.5) == {1, 2}
    assert kept(top_p=0.39) == {1}


def test_min_p_is_a_fraction_of_the_best_probability() -> None:
    assert kept(min_p=0.5) == {1, 2}


def test_top_p_is_taken_of_what_top_k_left() -> None:
    # 0.4 and 0.3 of 0.7 are 0.571 and 0.429; of the whole distribution 0.6 would keep both.
    assert kept(top_k=2, top_p=0.56) == {1}


def test_a_token_on_the_border_of_the_nucleus_may_be_in_or_out() -> None:
    certain, possible = support(ROW, SamplingParams(top_p=0.4), 1e-9)

    assert set(np.flatnonzero(certain)) == {1}
    assert set(np.flatnonzero(possible)) == {1, 2}


def test_a_distribution_with_a_border_inside_is_unknown() -> None:
    assert probabilities(ROW, SamplingParams(top_p=0.4), 1e-9) is None


def test_probabilities_sum_to_one_over_what_the_filters_leave() -> None:
    found = probabilities(ROW, SamplingParams(top_k=2), 1e-9)

    assert found is not None
    assert found == pytest.approx([0, 4 / 7, 3 / 7, 0, 0, 0])


def test_a_tiny_temperature_overflows_nowhere() -> None:
    found = probabilities(ROW, SamplingParams(temperature=5e-324), 0.0)

    assert found is not None
    assert found == pytest.approx([0, 1, 0, 0, 0, 0])


def test_penalties_follow_the_documented_order() -> None:
    row = np.array([1.0, 2.0, -1.0, 0.5, 0.0, 0.0])
    params = SamplingParams(
        logit_bias={1: 1.0}, repetition_penalty=2.0, presence_penalty=0.5, frequency_penalty=0.25, min_tokens=9
    )

    found = processed(row, params, prompt=(2,), output=(1, 1), limits=LIMITS)

    assert found[1] == (2.0 + 1.0) / 2.0 - 0.5 - 0.5
    assert found[2] == -2.0
    assert found[3] == 0.5
    assert found[0] == -np.inf
