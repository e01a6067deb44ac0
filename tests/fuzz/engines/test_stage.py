from __future__ import annotations

import random
from collections.abc import Iterator

from fuzz.engines.model import Case
from fuzz.engines.stage import SHARE, dealt, parts_of
from tests.fuzz.engines.toy import Letters, LetterSpace


class StagedSpace(LetterSpace):
    def __init__(self, size: int) -> None:
        self.left: list[Case] = [Letters((number, 0, 0, 0)) for number in range(size)]

    def deal(self, generator: random.Random) -> Case | None:
        return self.left.pop() if self.left else None

    def parts(self, case: Case) -> Iterator[Case]:
        yield case


def test_a_space_without_a_stage_deals_nothing() -> None:
    generator = random.Random(0)
    assert [dealt(LetterSpace(), generator) for _ in range(20)] == [None] * 20


def test_the_stage_has_its_share_of_the_cases() -> None:
    space, generator = StagedSpace(2000), random.Random(0)
    count = sum(dealt(space, generator) is not None for _ in range(1000))
    assert abs(count / 1000 - SHARE) < 0.05


def test_nothing_comes_of_a_stage_that_is_at_its_end() -> None:
    space, generator = StagedSpace(3), random.Random(0)
    cases = [case for case in (dealt(space, generator) for _ in range(50)) if case is not None]
    assert len(cases) == 3
    assert space.left == []


def test_a_space_without_a_stage_has_no_parts() -> None:
    assert parts_of(LetterSpace(), Letters((0, 0, 0, 0))) == []
    assert parts_of(StagedSpace(1), Letters((0, 0, 0, 0))) == [Letters((0, 0, 0, 0))]
