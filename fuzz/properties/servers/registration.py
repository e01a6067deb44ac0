"""How a server property is registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fuzz.lab.server_lab import HttpLab
from fuzz.properties.model import Cost, Violation
from fuzz.properties.registry import register
from targets.contract import TargetKind
from targets.http.case import HttpCase

Check = Callable[[HttpLab, HttpCase], Iterator[Violation]]


def server_property(
    code: str,
    title: str,
    *,
    sources: tuple[str, ...],
    needs: tuple[type[Any], ...] = (),
    cost: Cost = Cost.RELATES,
    malformed: bool = False,
    suits: Callable[[HttpCase], bool] = lambda _: True,
) -> Callable[[Check], Check]:
    """Decorator that registers a check of HTTP cases. Codes are `H` and the number of the library's property."""
    kind = TargetKind.HTTP
    return register(code, title, sources=sources, needs=needs, cost=cost, kind=kind, malformed=malformed, suits=suits)
