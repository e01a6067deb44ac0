"""The deterministic stage: every kind of defect on every endpoint and every two options together, once.

Chance draws a kind of which there are hundreds again and again before it has drawn each of them. What surrounds a case
costs more than a refusal, so several malformed requests share one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple, TypeVar

import msgspec

from strategies.http.breaking import EDITS, Edit
from strategies.http.breaking.fields import break_field
from strategies.http.cases import case_of, draw_valid, judged
from strategies.http.combinations import combined
from strategies.http.space import HttpSpace
from targets.http.case import Exchange, HttpCase

T = TypeVar("T")

TOGETHER = 4
"""Malformed requests in a case."""

_EDITS = tuple(edit for edit in dict.fromkeys(EDITS) if edit is not break_field)
"""Any value in any field is too much to be tried one by one; constraints have the telling values of each field."""


class Step(NamedTuple):
    """One request of the stage: an edit of the simplest one to an endpoint, made with these decisions."""

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
    """Deals every step once, several in a case, and every combination by itself; in an order of chance."""

    def __init__(self, space: HttpSpace) -> None:
        self._space = space
        self._left: list[tuple[Step, ...] | Exchange] | None = None

    def next(self, random: Random) -> HttpCase | None:
        """The next case; None when all have been dealt."""
        if self._left is None:
            broken = list(steps(self._space))
            random.shuffle(broken)
            self._left = [*_batched(broken, TOGETHER), *combined(self._space, random)]
            random.shuffle(self._left)
        if not self._left:
            return None
        dealt = self._left.pop()
        return case_of(self._space, dealt) if isinstance(dealt, Exchange) else case_at(self._space, *dealt)


def steps(space: HttpSpace) -> Iterator[Step]:
    """Every kind of edit on every endpoint that takes a body: which one, and where it is made."""
    for endpoint in range(len(space.posting)):
        for edit in _EDITS:
            kinds = _possible(space, Step(edit, endpoint, ()))
            for kind in range(kinds[0] if kinds else 0):
                first = Step(edit, endpoint, (kind,))
                yield first
                yield from _variations(space, first)


def case_at(space: HttpSpace, *together: Step) -> HttpCase:
    """The case of these steps, one after the other; their intents are proven from their bytes, as for any other."""
    return case_of(space, *(judged(space, _edited(space, step, PlannedSource(step.decisions))) for step in together))


def _batched(together: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    """So many at a time; the last ones may be fewer."""
    return (tuple(together[start : start + size]) for start in range(0, len(together), size))


def parts_of(case: HttpCase) -> Iterator[HttpCase]:
    """The requests of a case one by one, if they only share it: one of them may hide what another does."""
    timed = case.concurrent or any(one.hang_up is not None or one.reuse for one in case.exchanges)
    if len(case.exchanges) > 1 and not timed:
        yield from (msgspec.structs.replace(case, exchanges=(exchange,)) for exchange in case.exchanges)


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
