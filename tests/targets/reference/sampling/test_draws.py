from __future__ import annotations

from scipy import stats

from targets.reference.sampling.draws import uniform


def test_draws_are_uniform() -> None:
    draws = [uniform(7, sample, position) for sample in range(4) for position in range(2500)]
    assert stats.kstest(draws, "uniform").pvalue > 1e-6


def test_seed_sample_and_position_each_change_the_draw() -> None:
    draws = {uniform(*key) for key in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2**63 - 1, 0, 0), (-1, 0, 0)]}
    assert len(draws) == 6
    assert all(0 <= draw < 1 for draw in draws)


def test_samples_of_one_seed_are_not_shifted_copies() -> None:
    streams = [[uniform(3, sample, position) for position in range(200)] for sample in range(4)]
    assert len(set().union(*streams)) == 800
