"""Two findings are one bug if each shows beside the smallest case of the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines.model import Case, Trial
from fuzz.findings.beside import NEIGHBOURS, Shown, one_bug
from fuzz.properties.model import Verdict, Violation


class Number(msgspec.Struct, frozen=True, tag="number"):
    value: int


def shown(signature: str, value: int) -> Shown:
    return Shown(signature, None, Number(value))


def upwards(case: Case) -> Iterator[Case]:
    assert isinstance(case, Number)
    value = case.value
    while True:
        value += 1
        yield Number(value)


def judge_by(rule: Callable[[int], str]) -> Callable[[Case, tuple[str, ...] | None], Trial]:
    def judge(case: Case, codes: tuple[str, ...] | None) -> Trial:
        assert isinstance(case, Number)
        code, _, slug = rule(case.value).partition("/")
        violations = (Violation(code=code, slug=slug, message="broken"),) if code else ()
        return Trial(case, Outcome(fate=Fate.COMPLETED, reply=b""), Verdict(violations=violations), codes)

    return judge


def same(rule: Callable[[int], str], first: Shown, second: Shown, seconds: float = 5.0) -> bool:
    return one_bug(first, second, upwards, judge_by(rule), until=time.monotonic() + seconds)


def odd_or_even(value: int) -> str:
    return "P1/odd" if value % 2 else "P2/even"


def test_each_shows_beside_the_other() -> None:
    assert same(odd_or_even, shown("P1/odd", 3), shown("P2/even", 4))


def test_one_that_shows_everywhere_is_not_one_with_what_needs_more() -> None:
    special = lambda value: "P2/special" if value == 10 else "P1/any"  # noqa: E731
    assert not same(special, shown("P2/special", 10), shown("P1/any", 11))


def test_what_lies_too_far_away_is_not_found() -> None:
    far = lambda value: "P1/low" if value < 10 + NEIGHBOURS else "P2/high"  # noqa: E731
    assert not same(far, shown("P1/low", 9), shown("P2/high", 100))


def test_without_time_two_findings_stay_two() -> None:
    assert not same(odd_or_even, shown("P1/odd", 3), shown("P2/even", 4), seconds=-1.0)
