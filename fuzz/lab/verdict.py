"""Judges one case by properties and gathers what they say into a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fuzz.lab.features import features
from fuzz.properties.model import Cost, Property, Verdict, Violation
from targets.codec import encode
from targets.trace import Trace, is_literal

if TYPE_CHECKING:
    from fuzz.lab.lab import Lab


def judge(lab: Lab, case: Trace, chosen: Iterable[Property]) -> Verdict:
    """The verdict of these properties on a case, derived requests filled in.

    Properties that run the case again come first, so that those which watch every run see all of them.
    """
    literal = lab.begin(case)
    base = lab.base
    violations: list[Violation] = []
    checked: list[str] = []
    vacuous: list[str] = []
    for found in sorted(chosen, key=lambda one: one.cost is Cost.OBSERVES):
        looked = lab.tally.looked
        lab.watched = found.code
        violations += found.check(lab, literal)
        (checked if lab.tally.looked > looked else vacuous).append(found.code)
    return Verdict(
        violations=_distinct(violations),
        checked=tuple(checked),
        vacuous=tuple(vacuous),
        runs=len(lab.recordings),
        compared=lab.tally.compared,
        excused=lab.tally.excused,
        features=features(lab, base),
        literal=b"" if is_literal(case) else encode(literal),
    )


def _distinct(violations: list[Violation]) -> tuple[Violation, ...]:
    """One violation of each kind, in the order of the codes: what breaks any run comes before what compares runs."""
    first: dict[str, Violation] = {}
    for violation in violations:
        first.setdefault(violation.signature, violation)
    return tuple(sorted(first.values(), key=lambda violation: (len(violation.code), violation.code)))
