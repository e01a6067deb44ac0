"""The recorded run follows the config."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.graphs.audit import audit
from fuzz.properties.graphs.compare import same_value
from fuzz.properties.graphs.registration import graph_property
from fuzz.properties.graphs.scripted import wrong_answers
from fuzz.properties.model import Cost, Violation
from targets.graph.case import GraphCase
from targets.graph.config import body_of, channels_of
from targets.graph.result import FailureKind, RunStatus
from targets.graph.state import initial_state

_ENDED_EARLY = (FailureKind.STEP_LIMIT, FailureKind.TIMEOUT)


@graph_property("G9", "Routing and writes follow the config", sources=("GRAPH-07", "GRAPH-04"), cost=Cost.OBSERVES)
def routing(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
    """A model of routing recomputes from each node's writes which edges are open and which nodes run next.

    Conditions see the state with the node's own writes; a node runs once a step; models and tools write the scripted
    reply of their turn; the final state is that of all writes in the declared order.
    """
    base = lab.base(case)
    if not lab.domain.reports_nodes or not base.nodes:
        return
    lab.tally.looked += 1
    runs = base.nodes
    if base.failure and not lab.domain.whole_steps:
        last = max(run.step for run in runs if len(run.node) == 1)
        runs = tuple(run for run in runs if len(run.node) == 1 and run.step < last)
        runs = () if any(body_of(node) for node in case.config.nodes) else runs
    book = audit(case.config, channels_of(case.config), initial_state(case.config, case.inputs), runs)
    for doubt in book.doubts:
        yield Violation(code="G9", slug=doubt.slug, message=doubt.message)
    for message in wrong_answers(case.config, case.script, runs):
        yield Violation(code="G9", slug="wrong-answer", message=message)
    if book.doubts or (base.failure and not lab.domain.whole_steps):
        return
    if base.status is RunStatus.COMPLETED and not book.ended:
        yield Violation(code="G9", slug="ended-early", message="the run completed although edges lead on")
    if base.failure and not book.failed and base.failure.kind not in _ENDED_EARLY:
        message = f"the run failed ({base.failure}) although every node went well"
        yield Violation(code="G9", slug="failed-for-nothing", message=message)
    for name, value in book.state.items():
        held = base.state.get(name)
        if not lab.domain.ordered_writes and isinstance(held, list) and isinstance(value, list):
            held, value = sorted(held, key=repr), sorted(value, key=repr)
        if not same_value(held, value):
            message = f"channel {name!r} holds {base.state.get(name)!r}, the writes give {value!r}"
            yield Violation(code="G9", slug="wrong-state", message=message)
