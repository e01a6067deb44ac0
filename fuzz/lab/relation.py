"""Relates two recordings: compares the requests they share by the rules of `fuzz.lab.compare`, and counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fuzz.lab import margins
from fuzz.lab.compare import TEXT_DIFFERS, Rule, compare_answers
from fuzz.lab.recording import Answer, Recording
from fuzz.properties.model import Evidence, Violation

if TYPE_CHECKING:
    from fuzz.lab.lab import Lab


def shared(left: Recording, right: Recording) -> tuple[tuple[str, str], ...]:
    """Ids of the valid requests with a fixed result that are in both recordings, as pairs."""
    return tuple(
        (name, name)
        for name, answer in left.answers.items()
        if name in right.answers and not answer.breaches and answer.deterministic
    )


def relate(
    lab: Lab,
    code: str,
    left: Recording,
    right: Recording,
    kind: str,
    *,
    pairs: Iterable[tuple[str, str]] | None = None,
    exact: bool = False,
) -> Iterator[Violation]:
    """Violations of property `code` where the runs differ; `left` is the reference run.

    `kind` is the kind of path pair that sets eps. `pairs` are request ids in the left and the right run; by default
    every request that both share. Runs that did not go through are left to P1 and P2.
    """
    if not (left.sound and right.sound):
        return
    for left_id, right_id in shared(left, right) if pairs is None else pairs:
        one, other = (left, left.answers[left_id]), (right, right.answers[right_id])
        if one[1].deterministic and other[1].deterministic:
            yield from relate_answers(lab, code, one, other, kind, exact=exact)


def relate_answers(
    lab: Lab,
    code: str,
    left: tuple[Recording, Answer],
    right: tuple[Recording, Answer],
    kind: str,
    *,
    exact: bool = False,
    repeatable: bool = True,
) -> Iterator[Violation]:
    """The same for one request, each side given as the run and the answer (or a cut of it).

    `repeatable` tells whether the runs stay comparable under other seeds and tokens; if not, a disagreement whose
    margin cannot be known is excused.
    """
    rule = Rule(
        exact=exact,
        floor=lab.tolerances.floor,
        eps=lambda: lab.tolerances.eps(kind),
        gap=lambda sample, position, one, other: margins.gap(lab, left[1], sample.index, position, one, other),
        recurs=lambda: repeatable and margins.recurs(lab, left, right, kind),
    )
    for comparison in compare_answers(left[1], right[1], rule):
        lab.tally.compared += 1
        lab.tally.looked += 1
        lab.tally.excused += comparison.excused
        found = comparison.difference
        if found is not None:
            name = left[1].request.id
            evidence = found.evidence | _settings(lab, right[0])
            message = f"{name}: {found.message}"
            slug, cause = found.slug, found.slug if found.slug == TEXT_DIFFERS else ""
            yield Violation(code=code, slug=slug, message=message, request_id=name, evidence=evidence, cause=cause)


def steady(recording: Recording) -> bool:
    """Whether nothing in the run depends on chance: every request is greedy or seeded."""
    return all(answer.deterministic or not answer.accepted for answer in recording.answers.values())


def _settings(lab: Lab, right: Recording) -> dict[str, Evidence]:
    """The knobs in which the second run differs from the case."""
    changed = {name: value for name, value in right.trace.knobs.items() if lab.case.knobs.get(name) != value}
    return {"knobs": [f"{name}={value}" for name, value in changed.items()]} if changed else {}
