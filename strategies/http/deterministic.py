"""The deterministic stage: every kind of defect on every endpoint once, before chance repeats some and misses others.

Chance draws a kind of which there are hundreds again and again before it has drawn each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple, TypeVar

from strategies.http.breaking import EDITS, Edit
from strategies.http.breaking.fields import break_field
from strategies.http.cases import case_of, draw_valid, judged
from strategies.http.space import HttpSpace
from targets.http.case import Exchange, HttpCase

T = TypeVar("T")

_EDITS = tuple(edit for edit in dict.fromkeys(EDITS) if edit is not break_field)
"""Any value in any field is too much to be tried one by one; constraints have the telling values of each field."""


class Step(NamedTuple):
    """One case of the stage: an edit of the simplest request to an endpoint, made with these decisions."""

    edit: Edit
    endpoint: int
    decisions: tuple[int, ...]


class PlannedSource:
    """Makes the planned decisions, then always the first; notes how many possibilities there were each time."""

    def __init__(self, planned: Sequence[int] = ()) -> None:
        self._planned = planned
        self.possible: list[int] = []

    def integer(self, low: int, high: int) -> int:
        """One of up to three places in the range."""
        places = sorted({low, (low + high) // 2, high})
        return places[self._decide(len(places))]

    def number(self, low: float, high: float) -> float:
        """Either end."""
        return (low, high)[self._decide(2)]

    def boolean(self, probability: float = 0.5) -> bool:
        """The likelier one first."""
        likely = probability >= 0.5
        return likely if self._decide(2) == 0 else not likely

    def choice(self, options: Sequence[T]) -> T:
        """The planned option."""
        return options[self._decide(len(options))]

    def binary(self, length: int) -> bytes:
        """Zeros."""
        return bytes(length)

    def _decide(self, possibilities: int) -> int:
        at = len(self.possible)
        self.possible.append(possibilities)
        return min(self._planned[at], possibilities - 1) if at < len(self._planned) else 0


class DeterministicStage:
    """Deals every step once, in an order of chance."""

    def __init__(self, space: HttpSpace) -> None:
        self._space = space
        self._left: list[Step] | None = None

    def next(self, random: Random) -> HttpCase | None:
        """The next case; None when all have been dealt."""
        if self._left is None:
            self._left = list(steps(self._space))
            random.shuffle(self._left)
        return case_at(self._space, self._left.pop()) if self._left else None


def steps(space: HttpSpace) -> Iterator[Step]:
    """Every kind of edit on every endpoint that takes a body: which one, and where it is made."""
    for endpoint in range(len(space.posting)):
        for edit in _EDITS:
            kinds = _possible(space, Step(edit, endpoint, ()))
            for kind in range(kinds[0] if kinds else 0):
                first = Step(edit, endpoint, (kind,))
                yield first
                yield from _variations(space, first)


def case_at(space: HttpSpace, step: Step) -> HttpCase:
    """The case of a step; its intent is proven from its bytes, as for any other."""
    return case_of(space, judged(space, _edited(space, step, PlannedSource(step.decisions))))


def _variations(space: HttpSpace, first: Step) -> Iterator[Step]:
    """The step with each later decision made otherwise, one at a time."""
    for at, possibilities in enumerate(_possible(space, first)[1:], start=1):
        for decision in range(1, possibilities):
            yield first._replace(decisions=(*first.decisions, *[0] * (at - 1), decision))


def _possible(space: HttpSpace, step: Step) -> list[int]:
    source = PlannedSource(step.decisions)
    _edited(space, step, source)
    return source.possible


def _edited(space: HttpSpace, step: Step, source: PlannedSource) -> Exchange:
    simplest = draw_valid(PlannedSource(), space, space.posting[step.endpoint : step.endpoint + 1])
    return step.edit(source, space, simplest)
