"""A tiny case space and harness: a ladder of bytes that has to be climbed step by step."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
from hypothesis import strategies as st

from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines.model import Case, Trial
from fuzz.properties.model import Verdict, Violation
from targets.codec import decode

LADDER = (71, 12, 250, 3)


class Letters(msgspec.Struct, frozen=True, tag="letters"):
    values: tuple[int, ...]


class LetterSpace:
    def generate(self, generator: random.Random) -> Case:
        return Letters(tuple(generator.randbytes(4)))

    def mutate(self, case: Case, generator: random.Random) -> Case:
        values = list(letters(case))
        values[generator.randrange(4)] = generator.randrange(256)
        return Letters(tuple(values))

    def crossover(self, first: Case, second: Case, generator: random.Random) -> Case:
        cut = generator.randrange(5)
        return Letters(letters(first)[:cut] + letters(second)[cut:])

    def decode(self, data: bytes) -> Case:
        return decode(data, Letters)

    def strategy(self) -> st.SearchStrategy[Case]:
        byte = st.integers(0, 255)
        return st.builds(Letters, st.tuples(byte, byte, byte, byte))


def letters(case: Case) -> tuple[int, ...]:
    assert isinstance(case, Letters)
    return case.values


def rungs(case: Case) -> int:
    """How many letters of the ladder the case has, from the first on."""
    count = 0
    for have, want in zip(letters(case), LADDER, strict=True):
        if have != want:
            break
        count += 1
    return count


COMPLETED = Outcome(fate=Fate.COMPLETED)
PASSED = Verdict(checked=("P1",), compared=1)


def top_is_a_violation(case: Case) -> tuple[Outcome, Verdict | None]:
    if rungs(case) < len(LADDER):
        return COMPLETED, PASSED
    return COMPLETED, Verdict(violations=(Violation(code="P1", slug="top", message="the top was reached"),))


class ToyHarness:
    """Arm i is hit when the case has climbed to rung i."""

    def __init__(self, judge: Callable[[Case], tuple[Outcome, Verdict | None]] = top_is_a_violation) -> None:
        self.probes = memoryview(bytearray(16))
        self.restarts = 0
        self.cases: list[Case] = []
        self._judge = judge

    def run(self, case: Case) -> Trial:
        self.cases.append(case)
        self.probes[:] = bytes(16)
        for rung in range(rungs(case) + 1):
            self.probes[rung] = 1
        outcome, verdict = self._judge(case)
        return Trial(case, outcome, verdict)
