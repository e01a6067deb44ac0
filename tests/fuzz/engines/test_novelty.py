from __future__ import annotations

import pytest

from fuzz.engines.novelty import BUCKETS, Novelty, features_of


@pytest.mark.parametrize(
    ("count", "magnitude"),
    [(1, 0), (2, 1), (3, 2), (4, 3), (7, 3), (8, 4), (15, 4), (16, 5), (31, 5), (32, 6), (127, 6), (128, 7), (255, 7)],
)
def test_a_feature_is_a_byte_and_the_magnitude_of_its_count(count: int, magnitude: int) -> None:
    assert features_of(bytes([0, 0, count])).tolist() == [2 * BUCKETS + magnitude]


def test_what_was_not_hit_is_no_feature() -> None:
    assert features_of(bytes(9)).tolist() == []


def test_a_feature_is_new_once() -> None:
    novelty = Novelty(4)
    assert novelty.learn(features_of(b"\1\0\1\0")).tolist() == [0, 2 * BUCKETS]
    assert novelty.learn(features_of(b"\1\0\1\0")).tolist() == []


def test_another_magnitude_of_a_known_arm_is_new_but_no_new_arm() -> None:
    novelty = Novelty(1)
    novelty.learn(features_of(b"\1"))
    assert novelty.learn(features_of(b"\x09")).tolist() == [4]
    assert novelty.arms == 1


def test_hits_count_the_runs_that_showed_a_feature() -> None:
    novelty = Novelty(2)
    for _ in range(3):
        novelty.learn(features_of(b"\0\1"))
    assert novelty.hits[BUCKETS] == 3
    assert novelty.hits.sum() == 3
