"""Where cases come from, for each kind of target: generation, mutation and simplification behind one interface."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Protocol, cast

from fuzz.engines.model import Case, CaseSpace
from targets.codec import decode
from targets.contract import Target, TargetKind

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from strategies.graphs import GraphSpace
    from strategies.http.deterministic import DeterministicStage
    from strategies.http.openapi import SchemaCases
    from strategies.http.space import HttpSpace
    from strategies.space import Space
    from strategies.stage import TraceStage
    from targets.graph.case import GraphCase
    from targets.http.case import HttpCase
    from targets.trace import Trace

MALFORMED_SHARE = 0.1
"""Share of generated traces and graph cases that carry one defect; mutation keeps it."""
SCHEMA_SHARE = 0.1
"""Share of generated requests that come from the server's own OpenAPI document, where it offers one."""


class CampaignSpace(CaseSpace, Protocol):
    """What a campaign needs beside what engines need."""

    @property
    def kind(self) -> str:
        """Kind of corpus entries that belong here."""

    def adapt(self, case: Case) -> Case:
        """A case of a corpus made for another target or version, fitted into this target's domain."""

    def simplify(self, case: Case) -> Iterator[Case]:
        """Simpler cases, the most aggressive first."""

    def neighbours(self, case: Case) -> Iterator[Case]:
        """Cases beside a small one, in which the same bug may show in another way."""

    def steady(self, case: Case) -> Case:
        """The case leaving less to chance; the same if there is nothing to do."""

    def depends_on_time(self, case: Case) -> bool:
        """Whether what happens first in it is left to chance, so that one run says little."""


@dataclass(frozen=True)
class TraceSpace:
    """Traces for an executor."""

    space: Space
    stage: TraceStage
    """What chance seldom draws, once."""
    kind: str = "trace"

    def generate(self, generator: Random) -> Case:
        """A fresh trace, malformed now and then."""
        from strategies.generate import generate_trace

        return generate_trace(generator, self.space, malformed=generator.random() < MALFORMED_SHARE)

    def deal(self, generator: Random) -> Case | None:
        """The next case of the stage; None when all have been dealt."""
        return self.stage.next(generator)

    def parts(self, case: Case) -> Iterator[Case]:
        """The malformed requests of a trace, each alone among the others."""
        from strategies.stage import parts_of

        return parts_of(cast("Trace", case))

    def mutate(self, case: Case, generator: Random) -> Case:
        """An edited trace."""
        from strategies.mutate import mutate

        return mutate(cast("Trace", case), generator, self.space)

    def crossover(self, first: Case, second: Case, generator: Random) -> Case:
        """A trace with requests of both."""
        from strategies.mutate import crossover

        return crossover(cast("Trace", first), cast("Trace", second), generator, self.space)

    def decode(self, data: bytes) -> Case:
        """A trace from its JSON. Raises `DecodeError`."""
        from targets.trace import Trace

        return decode(data, Trace)

    def adapt(self, case: Case) -> Case:
        """Fitted into the domain and the knobs."""
        from strategies.repair import adapt

        return adapt(cast("Trace", case), self.space)

    def simplify(self, case: Case) -> Iterator[Case]:
        """Simpler traces inside the domain."""
        from strategies.shrink import simplify

        return simplify(cast("Trace", case), self.space)

    def neighbours(self, case: Case) -> Iterator[Case]:
        """Traces with the same options, chosen and worded otherwise."""
        from strategies.neighbours import neighbours

        return neighbours(cast("Trace", case), self.space)

    def steady(self, case: Case) -> Case:
        """As it is: all chance in a trace is seeded."""
        return case

    def depends_on_time(self, case: Case) -> bool:
        """No: its requests advance in the steps of one loop."""
        return False

    def strategy(self) -> SearchStrategy[Case]:
        """The same for Hypothesis: valid traces, malformed now and then."""
        from hypothesis import strategies as st

        from strategies.traces import malformed_traces, traces

        return st.one_of(*[traces(self.space)] * 9, malformed_traces(self.space))


@dataclass(frozen=True)
class GraphCaseSpace:
    """Graph configs with their inputs and scripted replies, for a graph runner."""

    space: GraphSpace
    kind: str = "graph"

    def generate(self, generator: Random) -> Case:
        """A fresh case, malformed now and then."""
        from strategies.graphs import generate_graph_case

        return generate_graph_case(generator, self.space, malformed=generator.random() < MALFORMED_SHARE)

    def mutate(self, case: Case, generator: Random) -> Case:
        """An edited case."""
        from strategies.graphs import mutate_graph_case

        return mutate_graph_case(cast("GraphCase", case), generator, self.space)

    def crossover(self, first: Case, second: Case, generator: Random) -> Case:
        """A case with parts of both."""
        from strategies.graphs import crossover

        return crossover(cast("GraphCase", first), cast("GraphCase", second), generator, self.space)

    def decode(self, data: bytes) -> Case:
        """A graph case from its JSON. Raises `DecodeError`."""
        from targets.graph.case import GraphCase

        return decode(data, GraphCase)

    def adapt(self, case: Case) -> Case:
        """As it is: a graph case says everything about itself."""
        return case

    def simplify(self, case: Case) -> Iterator[Case]:
        """Simpler cases."""
        from strategies.graphs import simplify

        return simplify(cast("GraphCase", case))

    def neighbours(self, case: Case) -> Iterator[Case]:
        """None: a graph shows what it shows."""
        return iter(())

    def steady(self, case: Case) -> Case:
        """As it is: a graph leaves nothing to chance."""
        return case

    def depends_on_time(self, case: Case) -> bool:
        """No: replies are scripted."""
        return False

    def strategy(self) -> SearchStrategy[Case]:
        """The same for Hypothesis."""
        from hypothesis import strategies as st

        from strategies.graphs import graph_cases, malformed_graph_cases

        return st.one_of(*[graph_cases(self.space)] * 9, malformed_graph_cases(self.space))


@dataclass(frozen=True)
class HttpCaseSpace:
    """Exchanges with a server in its dialect."""

    space: HttpSpace
    stage: DeterministicStage
    """Every kind of defect once."""
    offered: SchemaCases | None = None
    """Cases from the server's own OpenAPI document."""
    kind: str = "http"

    def generate(self, generator: Random) -> Case:
        """A fresh case: valid, malformed, or a client that leaves."""
        from strategies.http.mutate import generate

        if self.offered is not None and generator.random() < SCHEMA_SHARE:
            return self.offered.next(generator)
        return generate(generator, self.space)

    def deal(self, generator: Random) -> Case | None:
        """The next case of the stage; None when all have been dealt."""
        return self.stage.next(generator)

    def parts(self, case: Case) -> Iterator[Case]:
        """The requests of a case one by one."""
        from strategies.http.deterministic import parts_of

        return parts_of(cast("HttpCase", case))

    def mutate(self, case: Case, generator: Random) -> Case:
        """An edited case."""
        from strategies.http.mutate import mutate

        return mutate(cast("HttpCase", case), generator, self.space)

    def crossover(self, first: Case, second: Case, generator: Random) -> Case:
        """A case with exchanges of both."""
        from strategies.http.mutate import crossover

        return crossover(cast("HttpCase", first), cast("HttpCase", second), generator, self.space)

    def decode(self, data: bytes) -> Case:
        """An HTTP case from its JSON. Raises `DecodeError`."""
        from targets.http.case import HttpCase

        return decode(data, HttpCase)

    def adapt(self, case: Case) -> Case:
        """As it is: what is valid for a server is judged when the case is run."""
        return case

    def simplify(self, case: Case) -> Iterator[Case]:
        """Simpler cases of the same intent."""
        from strategies.http.shrink import simplify

        return simplify(cast("HttpCase", case), self.space)

    def neighbours(self, case: Case) -> Iterator[Case]:
        """Its requests alone, and in company of their own kind."""
        from strategies.http.neighbours import neighbours

        return neighbours(cast("HttpCase", case), self.space)

    def steady(self, case: Case) -> Case:
        """With answers that run long, whatever they draw."""
        from strategies.http.shrink import steadied

        return steadied(cast("HttpCase", case), self.space)

    def depends_on_time(self, case: Case) -> bool:
        """If requests run beside each other, or a client leaves while its answer is made."""
        from strategies.http.timing import depends_on_time

        return depends_on_time(cast("HttpCase", case))

    def strategy(self) -> SearchStrategy[Case]:
        """The same for Hypothesis."""
        from strategies.http.cases import http_cases

        return http_cases(self.space)


def space_for(target: Target, constants: tuple[int, ...] = (), schema: bytes = b"") -> CampaignSpace:
    """The case space of a target; `constants` are integers mined from its source, `schema` is a server's OpenAPI."""
    if target.kind is TargetKind.GRAPH:
        from strategies.graphs import graph_space_of

        return GraphCaseSpace(graph_space_of(target))
    if target.kind is TargetKind.HTTP:
        from strategies.http.deterministic import DeterministicStage
        from strategies.http.space import http_space_of

        space = http_space_of(target)
        offered = _schema_cases(schema, space) if schema else None
        return HttpCaseSpace(space, DeterministicStage(space), offered)
    from strategies.space import space_of
    from strategies.stage import TraceStage

    traces = space_of(target, constants)
    return TraceSpace(traces, TraceStage(traces))


def _schema_cases(schema: bytes, space: HttpSpace) -> SchemaCases | None:
    """None for a document that the library does not take: the server is then tested without it."""
    import msgspec

    from strategies.http.openapi import SchemaCases

    try:
        return SchemaCases(msgspec.json.decode(schema), space)
    except Exception:  # noqa: BLE001 - it is the server's document, and whatever is wrong with it is no news here
        return None
