"""How a graph property is registered: its check must not be stopped by whatever the runner raises."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from fuzz.lab.failures import belongs_to_containment
from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.model import Cost, Violation
from fuzz.properties.registry import register
from targets.contract import TargetKind
from targets.graph.case import GraphCase
from targets.graph.contract import GraphRejected

GraphCheck = Callable[[GraphLab, GraphCase], Iterator[Violation]]


def graph_property(
    code: str,
    title: str,
    *,
    sources: tuple[str, ...],
    needs: tuple[type[Any], ...] = (),
    cost: Cost = Cost.RELATES,
    malformed: bool = False,
) -> Callable[[GraphCheck], GraphCheck]:
    """Decorator that registers a check of graph cases.

    A refusal of a valid case or any other exception becomes a violation. Checks of valid cases skip malformed ones.
    """

    def decorate(check: GraphCheck) -> GraphCheck:
        @functools.wraps(check)
        def guarded(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
            if malformed is (case.defect is None):
                return
            try:
                yield from check(lab, case)
            except GraphRejected as error:
                yield Violation(code=code, slug="valid-refused", message=f"a valid config is refused: {error}")
            except Exception as error:
                if belongs_to_containment(error):
                    raise
                kind = type(error).__name__
                yield Violation(code=code, slug=f"raised-{kind}", message=f"the runner raised {kind}: {error}")

        register(code, title, sources=sources, needs=needs, cost=cost, kind=TargetKind.GRAPH, malformed=malformed)(
            guarded
        )
        return guarded

    return decorate
