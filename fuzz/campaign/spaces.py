"""Where cases come from, for each kind of target: generation, mutation and simplification behind one interface."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from hypothesis import strategies as st

from fuzz.engines.model import Case
from strategies import generate, mutate, repair, shrink, traces
from strategies.space import Space, space_of
from targets.codec import decode
from targets.contract import Target
from targets.trace import Trace

MALFORMED_SHARE = 0.1
"""Share of generated traces that carry one defect; mutation keeps it."""


@dataclass(frozen=True)
class TraceSpace:
    """Traces for an executor."""

    space: Space
    kind: str = "trace"

    def generate(self, generator: random.Random) -> Case:
        """A fresh trace, malformed now and then."""
        return generate.generate_trace(generator, self.space, malformed=generator.random() < MALFORMED_SHARE)

    def mutate(self, case: Case, generator: random.Random) -> Case:
        """An edited trace."""
        return mutate.mutate(cast("Trace", case), generator, self.space)

    def crossover(self, first: Case, second: Case, generator: random.Random) -> Case:
        """A trace with requests of both."""
        return mutate.crossover(cast("Trace", first), cast("Trace", second), generator, self.space)

    def decode(self, data: bytes) -> Case:
        """A trace from its JSON. Raises `DecodeError`."""
        return decode(data, Trace)

    def adapt(self, case: Case) -> Case:
        """A case of a corpus made for another target or version, fitted into this target's domain."""
        return repair.adapt(cast("Trace", case), self.space)

    def simplify(self, case: Case) -> Iterator[Case]:
        """Simpler traces, the most aggressive first."""
        return shrink.simplify(cast("Trace", case), self.space)

    def strategy(self) -> st.SearchStrategy[Case]:
        """The same for Hypothesis: valid traces, malformed now and then."""
        return st.one_of(*[traces.traces(self.space)] * 9, traces.malformed_traces(self.space))


def space_for(target: Target, constants: tuple[int, ...] = ()) -> TraceSpace:
    """The case space of a target; `constants` are integers mined from its source."""
    return TraceSpace(space_of(target, constants))
