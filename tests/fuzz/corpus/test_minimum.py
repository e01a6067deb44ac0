from __future__ import annotations

import random
from pathlib import Path

import msgspec

from fuzz.contain.outcome import Fate, Outcome
from fuzz.corpus.entry import CorpusEntry
from fuzz.corpus.minimum import Reach, cover, minimum
from fuzz.corpus.store import Stored
from fuzz.engines.model import Case, Trial
from targets.contract import Request
from targets.trace import Arrival, Trace


def test_what_the_cover_reaches_is_what_the_whole_reaches() -> None:
    generator = random.Random(3)
    for _ in range(50):
        reaches = [
            Reach(frozenset(generator.sample(range(30), generator.randint(0, 8))), generator.randint(1, 99))
            for _ in range(generator.randint(0, 20))
        ]
        kept = cover(reaches)
        assert {f for i in kept for f in reaches[i].features} == {f for reach in reaches for f in reach.features}


def test_a_case_whose_features_others_have_is_spare() -> None:
    reaches = [Reach(frozenset({1}), 5), Reach(frozenset({1, 2, 3}), 5), Reach(frozenset({3}), 5)]
    assert cover(reaches) == {1}


def test_of_equal_cases_the_smaller_is_kept() -> None:
    assert cover([Reach(frozenset({1, 2}), 90), Reach(frozenset({1, 2}), 9)]) == {1}


def test_a_pinned_case_is_kept_and_counts() -> None:
    assert cover([Reach(frozenset({1}), 900, pinned=True), Reach(frozenset({1}), 9)]) == {0}


class _Harness:
    """A case sets the arms that its prompt names; a prompt that starts with 9 fails."""

    def __init__(self) -> None:
        self.probes = memoryview(bytearray(16))
        self.restarts = 0

    def run(self, case: Case) -> Trial:
        assert isinstance(case, Trace)
        prompt = case.arrivals[0].request.prompt
        self.probes[:] = bytes(16)
        for arm in prompt:
            self.probes[arm] = 1
        return Trial(case, Outcome(fate=Fate.RAISED if prompt[0] == 9 else Fate.COMPLETED), None)


def _stored(*prompt: int, about: str = "") -> Stored:
    trace = Trace(arrivals=(Arrival(request=Request(id="a", prompt=prompt)),))
    return Stored(Path(f"{prompt}.json"), CorpusEntry.of(trace, about))


def test_minimizing_keeps_the_coverage_the_stories_and_the_failures() -> None:
    entries = [_stored(1), _stored(1, 2), _stored(2), _stored(1, 1, about="a story"), _stored(9)]
    made = minimum(entries, _Harness())
    assert {stored.path.stem for stored in made.kept} == {"(2,)", "(1, 1)", "(9,)"}
    assert made.features == 3
    assert msgspec.json.decode(bytes(made.spare[0].entry.case))
