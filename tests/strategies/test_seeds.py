"""The seed corpus: real bugs' triggers, rebuilt as traces for the reference executor."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from strategies.repair import adapt
from strategies.shrink import holds
from strategies.space import Space, space_of
from targets.codec import decode
from targets.reference import DECODER
from targets.trace import Trace

FOLDER = Path(__file__).parents[2] / "corpus" / "seeds"
FILES = [path for path in sorted(FOLDER.glob("*.json")) if json.loads(path.read_bytes())["kind"] == "trace"]
BUG = re.compile(r"(CACHE|BATCH|SAMPLE|STREAM|LIMITS|LIFE|FINITE|VALID)-\d\d")


class Seed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    kind: str
    about: str
    sources: tuple[str, ...]
    case: Trace


def seeds() -> dict[str, Seed]:
    return {path.stem: decode(path.read_bytes(), Seed) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_seed_is_a_trace_that_says_what_it_rebuilds(path: Path) -> None:
    seed = decode(path.read_bytes(), Seed)
    assert (seed.format, seed.kind) == (1, "trace")
    assert seed.about.endswith(".")
    assert seed.sources
    assert all(BUG.fullmatch(source) for source in seed.sources)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_seed_lies_in_the_domain_of_the_reference_executor_but_for_a_proven_defect(path: Path) -> None:
    assert holds(decode(path.read_bytes(), Seed).case, space_of(DECODER))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_fitting_a_seed_to_the_reference_executor_cuts_nothing_off(path: Path) -> None:
    case = decode(path.read_bytes(), Seed).case
    fitted = adapt(case, space_of(DECODER))
    assert [arrival.request.id for arrival in fitted.arrivals] == [arrival.request.id for arrival in case.arrivals]
    assert [arrival.defect for arrival in fitted.arrivals] == [arrival.defect for arrival in case.arrivals]


def test_seeds_come_from_every_group_of_bugs_that_a_trace_can_show() -> None:
    groups = {source.split("-")[0] for seed in seeds().values() for source in seed.sources}
    assert groups == {"CACHE", "BATCH", "SAMPLE", "STREAM", "LIMITS", "LIFE", "FINITE", "VALID"}


def test_no_two_seeds_are_the_same_case() -> None:
    cases = {msgspec.json.encode(seed.case) for seed in seeds().values()}
    assert len(cases) == len(FILES) >= 40


def test_seeds_can_be_fitted_to_any_target(any_space: Space) -> None:
    for seed in seeds().values():
        assert holds(adapt(seed.case, any_space), any_space)
