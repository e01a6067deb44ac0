"""Which case noticed which mutant: a log beside the mutants, and the order in which cases are tried by it.

Every process that tests a mutant appends a line, so the order gets better while a run goes on. It never decides a
verdict: a mutant survives only after every case that executes its function.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

LOG = "inferfuzz_noticed.jsonl"
SAME_FUNCTION, SAME_MODULE = 100, 10
"""How much more a case counts that noticed another mutant of the same function, or module, than of anything else."""
LEAST_COST = 0.02
"""CPU seconds that any case costs, whatever was measured."""
OBSERVED = ""
"""Stands for the run of a case by itself, among the codes of properties that run it again."""
STRONG = 6
"""How many properties are tried on every case before the others are."""
QUICK = 6, 2
"""How many cases a quick search judges by the strong properties, and by the others."""


class Notice(msgspec.Struct, frozen=True):
    """A mutant that was noticed."""

    mutant: str
    case: str
    codes: tuple[str, ...] = ()
    """Properties that were violated; empty if the case could not even be judged, or took too long."""

    @property
    def function(self) -> str:
        """Mangled name of the mutated function."""
        return self.mutant.rpartition("__mutmut_")[0]

    @property
    def module(self) -> str:
        """Module of the mutated function."""
        return self.mutant.rpartition(".")[0]


def note(folder: Path, notice: Notice) -> None:
    """Append a notice; whole lines, whoever else writes."""
    line = msgspec.json.encode(notice) + b"\n"
    handle = os.open(folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)


def read(folder: Path) -> dict[str, Notice]:
    """The last notice of every mutant. A damaged line is passed over."""
    found: dict[str, Notice] = {}
    try:
        lines = (folder / LOG).read_bytes().splitlines()
    except FileNotFoundError:
        return found
    for line in lines:
        try:
            notice = msgspec.json.decode(line, type=Notice)
        except msgspec.DecodeError:
            continue  # the end of an interrupted run
        found[notice.mutant] = notice
    return found


def compact(folder: Path) -> None:
    """Keep only the last notice of every mutant."""
    notices = read(folder)
    if notices:
        (folder / LOG).write_bytes(b"".join(msgspec.json.encode(notice) + b"\n" for notice in notices.values()))


def attempts(
    mutant: str,
    reached: Mapping[str, Collection[str]],
    notices: Mapping[str, Notice],
    seconds: Mapping[str, float],
    quick: bool = False,
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Everything that a mutant is tried with, the most promising first: a case, and properties that run it again.

    `reached` says by which cases, and by which properties on each (`OBSERVED` is the run of the case itself), the
    mutated function is executed; the others cannot notice anything. What noticed the mutant before comes first of all.
    Then cases are only observed, which costs a small part of judging them; then come the properties that notice most;
    then the others. `seconds` is what a case costs without a mutant, CPU seconds. A quick search judges only by the
    most promising cases.
    """
    chosen = ordered(mutant, reached, notices, seconds)
    before = notices.get(mutant)
    if before and before.case in reached:
        yield before.case, before.codes
    yield from ((case, ()) for case in chosen if OBSERVED in reached[case])
    power = _power(mutant, ((code, notice) for notice in notices.values() for code in notice.codes))
    codes = {code for some in reached.values() for code in some} - {OBSERVED}
    ranked = sorted(codes, key=lambda code: (-power[code], code))
    for part, most in zip((ranked[:STRONG], ranked[STRONG:]), QUICK, strict=True):
        able = [(case, some) for case in chosen if (some := tuple(code for code in part if code in reached[case]))]
        yield from able[:most] if quick else able


def ordered(
    mutant: str, cases: Iterable[str], notices: Mapping[str, Notice], seconds: Mapping[str, float]
) -> Sequence[str]:
    """The cases, those that notice most for their cost first."""
    power = _power(mutant, ((notice.case, notice) for notice in notices.values()))

    def rank(case: str) -> tuple[float, str]:
        return -(1 + power[case]) / max(LEAST_COST, seconds.get(case, 0.0)), case

    return sorted(cases, key=rank)


def _power(mutant: str, noticers: Iterable[tuple[str, Notice]]) -> Counter[str]:
    this = Notice(mutant, "")
    power: Counter[str] = Counter()
    for noticer, notice in noticers:
        near = SAME_FUNCTION if notice.function == this.function else SAME_MODULE if notice.module == this.module else 1
        power[noticer] += near
    return power
