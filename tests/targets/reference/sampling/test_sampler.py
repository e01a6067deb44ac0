from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from targets.contract import SamplingParams
from targets.reference.sampling.draws import uniform
from targets.reference.sampling.sampler import choose, filtered, rank

LOGITS = st.lists(st.integers(-40, 40).map(lambda value: value / 8), min_size=2, max_size=12)
PARAMS = st.builds(
    SamplingParams,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.0]),
    top_k=st.sampled_from([0, 1, 2, 5, 10**30]),
    top_p=st.sampled_from([1e-9, 0.3, 0.7, 1.0]),
    min_p=st.sampled_from([0.0, 0.1, 0.9, 1.0]),
)


def expected_support(logits: list[float], sampling: SamplingParams) -> tuple[set[int], set[int]]:
    """Tokens that must and that may be drawn: twenty lines that follow the documented order."""
    order = sorted(range(len(logits)), key=lambda token: (-logits[token], token))
    if sampling.temperature == 0:
        return {order[0]}, {order[0]}
    weights = {token: math.exp((logits[token] - logits[order[0]]) / sampling.temperature) for token in order}
    kept = order[: sampling.top_k] if sampling.top_k else order
    total = math.fsum(weights[token] for token in kept)
    must, may, mass = set(), set(), 0.0
    for token in kept:
        share = weights[token] / total
        inside_p = mass < sampling.top_p - 1e-9 or sampling.top_p >= 1
        near_p = mass < sampling.top_p + 1e-9
        ratio = weights[token] / weights[order[0]]
        if inside_p and ratio > sampling.min_p + 1e-9:
            must.add(token)
        if (inside_p or near_p) and ratio >= sampling.min_p - 1e-9:
            may.add(token)
        mass += share
    return must, may


@given(LOGITS, PARAMS)
def test_the_support_follows_the_documented_order_of_filters(logits: list[float], sampling: SamplingParams) -> None:
    must, may = expected_support(logits, sampling)
    row = np.array([logits])
    drawn = {choose(row, [sampling], [step / 100])[0] for step in range(100)}
    assert drawn <= may
    if sampling.temperature > 0:
        ranked, order = rank(row, np.array([[sampling.temperature]]))
        support = set(order[0][filtered(ranked, [sampling])[0] > 0].tolist())
        assert must <= support <= may


@given(st.lists(st.tuples(LOGITS, PARAMS, st.floats(0, 1, exclude_max=True)), min_size=1, max_size=5))
def test_a_row_of_a_batch_is_the_row_alone(rows: list[tuple[list[float], SamplingParams, float]]) -> None:
    width = max(len(logits) for logits, _, _ in rows)
    matrix = np.array([logits + [-np.inf] * (width - len(logits)) for logits, _, _ in rows])
    params, uniforms = [sampling for _, sampling, _ in rows], [draw for _, _, draw in rows]
    together = choose(matrix, params, uniforms)
    alone = [choose(matrix[[row]], [params[row]], [uniforms[row]])[0] for row in range(len(rows))]
    assert together == alone


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-12])
def test_temperature_towards_zero_is_the_most_probable_token(temperature: float) -> None:
    row = np.array([[1.0, 3.0, 2.9]])
    assert choose(row, [SamplingParams(temperature=temperature)], [0.999]) == [1]


def test_greedy_ties_go_to_the_lowest_id() -> None:
    assert choose(np.array([[1.0, 2.0, 2.0]]), [SamplingParams(temperature=0)], [0.5]) == [1]


def test_the_crossing_token_belongs_to_the_nucleus() -> None:
    row = np.log(np.array([[0.5, 0.25, 0.25]]))
    drawn = {choose(row, [SamplingParams(top_p=0.6)], [step / 100])[0] for step in range(100)}
    assert drawn == {0, 1}


def test_draws_follow_the_distribution() -> None:
    logits = np.array([0.0, 1.0, -1.0, 2.0, 0.5])
    sampling = SamplingParams(temperature=1.5)
    count = 20_000
    tokens = choose(np.tile(logits, (count, 1)), [sampling] * count, [uniform(1, 0, place) for place in range(count)])
    counts = np.bincount(tokens, minlength=5)
    expected = np.exp(logits / 1.5)
    assert stats.chisquare(counts, expected / expected.sum() * counts.sum()).pvalue > 1e-6


@given(LOGITS, PARAMS, st.floats(0, 1, exclude_max=True))
def test_a_constant_added_to_all_logits_changes_nothing(
    logits: list[float], sampling: SamplingParams, draw: float
) -> None:
    row = np.array([logits])
    assert choose(row, [sampling], [draw]) == choose(row + 64.0, [sampling], [draw])
