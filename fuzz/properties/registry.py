"""All properties by code, and which of them apply to a target."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fuzz.properties.model import Cost, Property, Violation, suits_every_case
from targets.contract import Target, TargetKind
from targets.domain import DEFAULT_DOMAIN
from targets.errors import unknown

MODULES: dict[TargetKind, tuple[str, ...]] = {
    TargetKind.EXECUTOR: ("fuzz.properties.executors",),
    TargetKind.GRAPH: ("fuzz.properties.graphs",),
    TargetKind.HTTP: ("fuzz.properties.servers",),
}
"""Packages whose import registers the properties of each kind of target."""

Check = Callable[[Any, Any], Iterator[Violation]]

_registered: dict[str, Property] = {}


def register(
    code: str,
    title: str,
    *,
    sources: tuple[str, ...],
    needs: tuple[type[Any], ...] = (),
    fields: tuple[str, ...] = (),
    knobs: tuple[str, ...] = (),
    cost: Cost = Cost.RELATES,
    kind: TargetKind = TargetKind.EXECUTOR,
    malformed: bool = False,
    suits: Callable[[Any], bool] = suits_every_case,
) -> Callable[[Check], Check]:
    """Decorator for a check function; its docstring becomes the explanation.

    Raises `ValueError` when the code is taken by another function.
    """

    def decorate(check: Check) -> Check:
        known = _registered.get(code)
        if known is not None and known.check.__qualname__ != check.__qualname__:
            raise ValueError(f"property code {code!r} is taken by {known.check.__qualname__}")
        _registered[code] = Property(
            code=code,
            title=title,
            explanation=(check.__doc__ or "").strip(),
            check=check,
            sources=sources,
            needs=needs,
            fields=fields,
            knobs=knobs,
            cost=cost,
            kind=kind,
            malformed=malformed,
            suits=suits,
        )
        return check

    return decorate


def properties(kind: TargetKind | None = None) -> tuple[Property, ...]:
    """All properties of a kind (or of every kind), ordered by code."""
    for owner, modules in MODULES.items():
        if kind in (None, owner):
            for module in modules:
                importlib.import_module(module)
    chosen = [found for found in _registered.values() if kind in (None, found.kind)]
    return tuple(sorted(chosen, key=lambda found: _order(found.code)))


def find(code: str) -> Property:
    """The property of that code, upper or lower case. Raises `UsageError` with the nearest match."""
    known = {found.code: found for found in properties()}
    if code.upper() not in known:
        raise unknown("property", code, known, "`inferfuzz properties` lists them.")
    return known[code.upper()]


@dataclass(frozen=True)
class Applicability:
    """Which properties run on a target, and for each of the others why not."""

    applicable: tuple[Property, ...]
    missing: dict[str, str]
    """Code to the reason, such as `needs ScoresTokens`."""


def applicable(target: Target, capabilities: Sequence[str]) -> Applicability:
    """Decide by what the target offers alone; `capabilities` are protocol names (see `capability_names`)."""
    chosen: list[Property] = []
    missing: dict[str, str] = {}
    for found in properties(target.kind):
        reason = _reason_against(found, target, capabilities)
        if reason:
            missing[found.code] = reason
        else:
            chosen.append(found)
    return Applicability(tuple(chosen), missing)


def capability_names(executor: object, kind: TargetKind) -> tuple[str, ...]:
    """Names of the capability protocols, among those any property of this kind needs, that the executor has."""
    protocols = {need.__name__: need for found in properties(kind) for need in found.needs}
    return tuple(sorted(name for name, protocol in protocols.items() if isinstance(executor, protocol)))


def _reason_against(found: Property, target: Target, capabilities: Sequence[str]) -> str:
    lacking = [need.__name__ for need in found.needs if need.__name__ not in capabilities]
    if lacking:
        return f"needs {' and '.join(lacking)}"
    supported = (target.domain or DEFAULT_DOMAIN).supported
    fields = [name for name in found.fields if name not in supported]
    if fields:
        return f"needs the sampling field {', '.join(fields)}"
    offered = {knob.name for knob in target.knobs}
    knobs = [name for name in found.knobs if name not in offered]
    return f"needs the knob {', '.join(knobs)}" if knobs else ""


def _order(code: str) -> tuple[str, int, str]:
    digits = "".join(character for character in code if character.isdigit())
    return (code.rstrip("0123456789"), int(digits or 0), code)
