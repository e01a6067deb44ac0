"""The stage of a case space: each kind of case once, before chance repeats some and misses others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from fuzz.engines.model import Case, CaseSpace

SHARE = 0.7
"""Share of the cases that come from the stage until all of it has been dealt; they are the cheap ones."""


@runtime_checkable
class Deals(Protocol):
    """A case space with a stage."""

    def deal(self, generator: random.Random) -> Case | None:
        """The next case of the stage; None when all have been dealt."""

    def parts(self, case: Case) -> Iterator[Case]:
        """What shares a case of the stage, each by itself; nothing for a case of one part."""


def parts_of(space: CaseSpace, case: Case) -> list[Case]:
    """What is to be run when a case of the stage failed: one of its parts may have hidden what another would show."""
    return list(space.parts(case)) if isinstance(space, Deals) else []


def dealt(space: CaseSpace, generator: random.Random) -> Case | None:
    """A case of the stage, as often as its share is; None for one that is to be made in another way."""
    if not isinstance(space, Deals) or generator.random() >= SHARE:
        return None
    return space.deal(generator)
