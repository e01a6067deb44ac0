from __future__ import annotations

import random
from collections import Counter

import msgspec
import numpy as np

from fuzz.engines.schedule import Schedule, Seed
from fuzz.engines.shares import Shares


class _Named(msgspec.Struct, frozen=True):
    name: str


def _schedule(hits: list[int]) -> Schedule:
    return Schedule(np.array(hits, np.int64))


def _picks(schedule: Schedule, count: int = 2000) -> Counter[str]:
    generator = random.Random(5)
    picked: Counter[str] = Counter()
    for _ in range(count):
        case = schedule.pick(generator)
        assert isinstance(case, _Named)
        picked[case.name] += 1
    return picked


def test_a_case_that_reaches_something_rare_is_picked_more_often() -> None:
    schedule = _schedule([1000, 2])
    schedule.add(Seed(_Named("common"), 1), np.array([0]))
    schedule.add(Seed(_Named("rare"), 1), np.array([1]))
    picked = _picks(schedule)
    assert picked["rare"] > 10 * picked["common"] > 0


def test_of_the_cases_that_reach_a_feature_the_smaller_is_built_upon() -> None:
    schedule = _schedule([5])
    schedule.add(Seed(_Named("large"), 900), np.array([0]))
    schedule.add(Seed(_Named("small"), 9), np.array([0]))
    picked = _picks(schedule)
    assert picked["small"] > 10 * picked["large"]


def test_rarity_follows_the_hits() -> None:
    hits = np.array([1, 1000], np.int64)
    schedule = Schedule(hits)
    schedule.add(Seed(_Named("first"), 1), np.array([0]))
    schedule.add(Seed(_Named("second"), 1), np.array([1]))
    before = _picks(schedule)
    hits[:] = [1000, 1]
    after = _picks(schedule)
    assert before["first"] > before["second"]
    assert after["first"] < after["second"]


def test_a_case_no_larger_takes_over_the_rarest_feature_it_reaches() -> None:
    schedule = _schedule([1000, 2])
    schedule.add(Seed(_Named("first"), 50), np.array([0, 1]))
    schedule.drift(_Named("second"), np.array([0, 1]), lambda: 50)
    picked = _picks(schedule)
    assert picked["second"] > 5 * picked["first"] > 0


def test_a_larger_case_takes_over_nothing() -> None:
    schedule = _schedule([1000, 2])
    schedule.add(Seed(_Named("first"), 50), np.array([0, 1]))
    schedule.drift(_Named("second"), np.array([0, 1]), lambda: 51)
    assert _picks(schedule)["second"] == 0


def test_a_way_that_brings_more_is_used_more_and_none_is_given_up() -> None:
    shares = Shares({"good": 0.1, "bad": 0.1})
    for _ in range(500):
        shares.learn("good", new=True)
        shares.learn("bad", new=False)
    assert shares.shares["good"] > 0.8
    assert shares.shares["bad"] >= 0.1


def test_a_way_that_wears_out_is_noticed() -> None:
    shares = Shares({"early": 0.1, "late": 0.1})
    for _ in range(1000):
        shares.learn("early", new=True)
    for _ in range(6000):
        shares.learn("early", new=False)
        shares.learn("late", new=True)
    assert shares.shares["late"] > shares.shares["early"]
    assert abs(sum(shares.shares.values()) - 1.0) < 1e-9
