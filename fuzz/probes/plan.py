"""Which arms there are and which byte of the map each has: the same in every process that reads the same source."""

from __future__ import annotations

import ast
import bisect
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from fuzz.probes.arms import Arm, ArmKind
from fuzz.probes.constants import Constants, mine
from fuzz.probes.insert import insert_probes
from fuzz.probes.sources import Source, find_sources

FEATURES = 4096
"""Bytes behind the arms for behaviour features (`Verdict.features`)."""
MOST_ARMS = 1 << 16
"""Arms beyond are not probed: clearing and reading the map would cost more than the probes."""


class ProbedModule(msgspec.Struct, frozen=True):
    """A module, and its arms: bytes `first` to `first + len(arms) - 1` of the map."""

    name: str
    path: str
    digest: str
    """Of the source that the numbers belong to."""
    first: int
    arms: tuple[Arm, ...]


class ProbePlan(msgspec.Struct, frozen=True):
    """The layout of the probe map. Plain data, so a parent may send it to its workers."""

    modules: tuple[ProbedModule, ...] = ()
    unprobed: dict[str, str] = {}
    """Module to the reason why it has no probes."""
    constants: Constants = Constants()
    """What the probed sources mention, for mutators."""

    @property
    def arms(self) -> int:
        """How many arms there are; behaviour feature 0 has the byte of this number."""
        return sum(len(module.arms) for module in self.modules)

    @property
    def size(self) -> int:
        """Bytes of the map: the arms, then the behaviour features."""
        return self.arms + FEATURES


@dataclass(frozen=True)
class ArmLocation:
    """Where a byte of the map belongs; `str()` is for reports."""

    module: str
    path: str
    line: int
    kind: ArmKind
    function: str

    def __str__(self) -> str:
        function = f" in {self.function}" if self.function else ""
        return f"{self.path}:{self.line}: {self.kind}{function}"


def plan_probes(names: Iterable[str]) -> ProbePlan:
    """Read the named modules (packages with everything below them) and number their arms. Imports nothing."""
    modules: list[ProbedModule] = []
    unprobed: dict[str, str] = {}
    constants = Constants()
    first = 0
    for source in find_sources(names):
        try:
            module, mentioned = _number(source, first)
        except _NotProbed as reason:
            unprobed[source.name] = str(reason)
            continue
        modules.append(module)
        constants = constants.union(mentioned)
        first += len(module.arms)
    return ProbePlan(modules=tuple(modules), unprobed=unprobed, constants=constants)


def arm_location(plan: ProbePlan, number: int) -> ArmLocation | None:
    """Where arm `number` is; None for the byte of a behaviour feature."""
    position = bisect.bisect_right(plan.modules, number, key=lambda module: module.first) - 1
    while position >= 0:
        module = plan.modules[position]
        if number < module.first + len(module.arms):
            arm = module.arms[number - module.first]
            return ArmLocation(module.name, module.path, arm.line, arm.kind, arm.function)
        if module.arms:
            break
        position -= 1
    return None


def digest_of(data: bytes) -> str:
    """Sixteen hexadecimal digits that name a source text."""
    return hashlib.sha256(data).hexdigest()[:16]


class _NotProbed(Exception):  # noqa: N818 - not an error
    pass


def _number(source: Source, first: int) -> tuple[ProbedModule, Constants]:
    if source.problem:
        raise _NotProbed(source.problem)
    try:
        tree = ast.parse(source.data, source.path)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise _NotProbed(f"cannot be parsed: {error}") from None
    mentioned = mine(tree)
    arms = insert_probes(tree, first)
    if first + len(arms) > MOST_ARMS:
        raise _NotProbed(f"the map is full: at most {MOST_ARMS} arms are probed; name fewer modules")
    return ProbedModule(source.name, source.path, digest_of(source.data), first, arms), mentioned
