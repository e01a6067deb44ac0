"""Every planted bug of the corpus fits the source, and its witness shows that it is no equivalent change."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections import Counter
from pathlib import Path

import pytest

from fuzz.judge import BENCHES, Bench
from fuzz.planted.fresh import planted_target
from fuzz.planted.load import load_bugs, shipped_files
from fuzz.planted.model import Bug, Group
from fuzz.planted.outcome import edit_of, outcomes
from fuzz.properties.registry import applicable, capability_names, find

BUGS = load_bugs(shipped_files())

UNSEEN = {
    "http-bias-has-no-effect": "the property asks with biases of its own, about a request that has none",
    "http-streams-mixed-up": "the witness is one request, so that it is the same every time; H11 compares several",
    "life-preempted-goes-to-the-end": "whoever is overtaken only waits longer; P2 tells where the queue gets stuck",
}
"""Bugs whose witness no property objects to, and why."""

TIMED = {"http-one-queue-for-all"}
"""Bugs that show when one request is ended after another has begun to produce, so not every time."""
ATTEMPTS = 12

planted = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.id)


def test_there_are_at_least_sixty_bugs_from_every_group() -> None:
    groups = Counter(bug.group for bug in BUGS)

    assert len(BUGS) >= 60
    assert set(groups) == set(Group)


def test_every_bug_stems_from_real_ones_and_names_known_properties() -> None:
    for bug in BUGS:
        assert bug.derived and all(re.fullmatch(r"[A-Z]+-\d\d", name) for name in bug.derived), bug.id
        assert bug.properties and all(find(code) for code in bug.properties), bug.id


def test_the_text_of_every_bug_occurs_exactly_once() -> None:
    for bug in BUGS:
        spec = importlib.util.find_spec(bug.module)
        assert spec is not None and spec.origin is not None, bug.id
        edit_of(bug).apply(Path(spec.origin).read_text())


@planted
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_witness_has_another_outcome_with_the_bug(bug: Bug) -> None:
    attempts = ATTEMPTS if bug.id in TIMED else 1

    assert any(without != with_bug for without, with_bug in (outcomes(bug, bug.witness) for _ in range(attempts)))


@pytest.mark.slow
@planted
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_named_property_objects_to_the_witness(bug: Bug) -> None:
    with planted_target(bug.target, edit_of(bug)) as target:
        module, _, name = BENCHES[target.kind].partition(":")
        bench: Bench = getattr(importlib.import_module(module), name)(target, "cpu", "float32", {})
        known = applicable(target, capability_names(bench.probe, target.kind)).applicable
        seen = {violation.code for violation in bench.judge(bug.witness, known).violations}
        getattr(bench, "close", lambda: None)()

    assert bool(seen & set(bug.properties)) is (bug.id not in UNSEEN), (seen, UNSEEN.get(bug.id))
