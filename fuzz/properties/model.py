"""What a property is, and what judging a case by properties yields."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from targets.contract import KnobValue, TargetKind

Evidence = KnobValue | None | list[KnobValue | None]


class Cost(enum.StrEnum):
    """How much a property adds to the run of a case."""

    OBSERVES = "observes"
    """Reads the recording that exists anyway."""
    RELATES = "relates"
    """Runs the case again in another way."""


class Violation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A property that did not hold, with evidence."""

    code: str
    """Code of the property, such as `P13`."""
    slug: str
    """Stable name of the kind of breach inside the property, such as `tokens-differ`."""
    message: str
    """One sentence for people: what was seen, and what should have been."""
    request_id: str = ""
    evidence: dict[str, Evidence] = {}
    cause: str = ""
    """Label of what is behind it, where that shows: violations of other kinds that share it are the same finding."""
    variant: str = ""
    """What this one is of several that have one cause, such as the field concerned."""
    derived: bool = False
    """Whether another request than the case's was refused: nearly any case shows that, so it is no sign of kinship."""

    @property
    def signature(self) -> str:
        """`P13/tokens-differ`: what makes two violations the same kind."""
        return f"{self.code}/{self.slug}"


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the properties said about one case."""

    violations: tuple[Violation, ...] = ()
    checked: tuple[str, ...] = ()
    """Codes of the properties that ran and had something to compare."""
    vacuous: tuple[str, ...] = ()
    """Codes of the properties that ran but found nothing to compare in this case."""
    runs: int = 0
    """Times that a trace was run on an executor: the case itself, and what properties made of it."""
    compared: int = 0
    """Pairs of runs compared."""
    excused: int = 0
    """Pairs whose comparison ended at a near-tie (`properties.md` 2.0, rule 2)."""
    features: tuple[int, ...] = ()
    """Behaviour features seen: small integers that join the branch arms as coverage."""
    literal: bytes = b""
    """The case as it was run, derived prompts and stop strings filled in, as JSON; empty if it was literal."""


def suits_every_case(_case: object) -> bool:
    """Most properties look at any case."""
    return True


@dataclass(frozen=True)
class Property:
    """A relation that must hold. `check` yields the violations it sees in one case."""

    code: str
    title: str
    explanation: str
    """What must hold, when it applies, and what is tolerated; shown by `inferfuzz properties CODE`."""
    check: Callable[[Any, Any], Iterator[Violation]]
    """Takes the lab of the target's kind and the literal case."""
    sources: tuple[str, ...]
    """Ids of the real bugs it stems from (`inference_bugs.json`)."""
    needs: tuple[type[Any], ...] = ()
    """Capability protocols the executor must have."""
    fields: tuple[str, ...] = ()
    """Sampling fields that the target's documented domain must support."""
    knobs: tuple[str, ...] = ()
    """Knobs the target must offer."""
    cost: Cost = Cost.RELATES
    kind: TargetKind = TargetKind.EXECUTOR
    malformed: bool = False
    """Whether it is about requests outside the documented domain."""
    suits: Callable[[Any], bool] = suits_every_case
    """Whether a case, as generated, can have anything to compare; a turn on any other is wasted."""
