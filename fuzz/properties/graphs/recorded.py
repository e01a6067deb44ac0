"""Recorded outputs: what an earlier version of a runner answered to the same case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.graphs.compare import course_difference
from fuzz.properties.graphs.registration import graph_property
from fuzz.properties.model import Violation
from targets.codec import DecodeError, content_hash, decode, encode_pretty
from targets.errors import UsageError
from targets.graph.case import GraphCase
from targets.graph.result import GraphResult


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A case, what a runner answered to it, and which runner that was."""

    case: GraphCase
    result: GraphResult
    target: str
    version: str = ""


@graph_property("G12", "Recorded output", sources=("GRAPH-09",))
def recorded_output(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
    """The answer equals the one recorded from an earlier version of the runner, for cases that have one."""
    earlier = lab.recorded.get(content_hash(case))
    if earlier is None:
        return
    lab.tally.compared += 1
    slug, sentence = course_difference(earlier, lab.base(case))
    if slug:
        yield Violation(code="G12", slug=slug, message=f"recorded against now: {sentence}")


def record(lab: GraphLab, cases: Iterable[GraphCase], folder: Path, version: str = "") -> tuple[Path, ...]:
    """Run the cases and write a snapshot of each, as JSON named by the hash of the case."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for case in cases:
        result = lab.base(case)
        snapshot = Snapshot(case=case, result=result, target=lab.target.name, version=version)
        path = folder / f"{content_hash(case)}.json"
        path.write_bytes(encode_pretty(snapshot))
        written.append(path)
    return tuple(written)


def read_snapshots(folder: Path) -> tuple[Snapshot, ...]:
    """All snapshots in a folder. Raises `UsageError` for a damaged one."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(decode(path.read_bytes(), Snapshot))
        except DecodeError as error:
            raise UsageError(f"{path} is no snapshot of a graph run: {error}. Record it again or delete it.") from error
    return tuple(found)


def by_case(snapshots: Iterable[Snapshot]) -> Mapping[str, GraphResult]:
    """Results by the content hash of their case, as `GraphLab` takes them."""
    return {content_hash(snapshot.case): snapshot.result for snapshot in snapshots}
