"""Ten faults, each planted by one source edit into a copy of the runner, are found by the properties.

The edited copy lives under the name of the original in a process of its own, so nothing else sees it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
LOOP = Path(__file__).with_name("planted_loop.py")
BUDGET = 60


@dataclass(frozen=True)
class Fault:
    """One source edit and the properties that may find it."""

    name: str
    file: str
    old: str
    new: str
    codes: tuple[str, ...]


REFERENCE = "targets/reference/graph"

FAULTS = (
    Fault(
        "retry-doubles-a-write",
        f"{REFERENCE}/execution.py",
        "            error = await try_attempt(attempt)\n",
        "            attempt.writes += kept if number else []\n"
        "            error = await try_attempt(attempt)\n"
        "            kept = attempt.writes\n",
        ("G6", "G9"),
    ),
    Fault(
        "branch-taken-twice",
        f"{REFERENCE}/execution.py",
        "progress.ready = tuple(sorted(ready, key=plan.order.__getitem__))",
        "progress.ready = tuple(sorted([t for v in visits for t in v.run.taken if t in ready], "
        "key=plan.order.__getitem__))",
        ("G5", "G9"),
    ),
    Fault(
        "resume-skips-a-node",
        f"{REFERENCE}/runner.py",
        "found.script, found.trace_id, found.progress.copy())",
        "found.script, found.trace_id, "
        "replace(found.progress.copy(), ready=found.progress.ready[1:] or found.progress.ready))",
        ("G3",),
    ),
    Fault(
        "cancelled-node-still-running",
        f"{REFERENCE}/execution.py",
        "        for task in tasks.values():\n            task.cancel()\n        await _all_ended(tasks.values())\n",
        "",
        ("G6",),
    ),
    Fault(
        "limit-off-by-one",
        f"{REFERENCE}/execution.py",
        "if progress.step >= plan.max_steps:",
        "if progress.step > plan.max_steps:",
        ("G5",),
    ),
    Fault(
        "condition-reads-the-input",
        f"{REFERENCE}/execution.py",
        "state = apply(plan.channels, attempt.state, attempt.writes)",
        "state = attempt.state",
        ("G9",),
    ),
    Fault(
        "state-kept-between-runs",
        f"{REFERENCE}/runner.py",
        "start(plan, initial_state(config, inputs))",
        "start(plan, self.__dict__.setdefault('kept', {}) or self.kept.update(initial_state(config, inputs)) "
        "or self.kept)",
        ("G1", "G8", "G9", "G10"),
    ),
    Fault(
        "entry-chosen-by-hash-order",
        f"{REFERENCE}/execution.py",
        "ready=tuple(sorted(plan.entry, key=plan.order.__getitem__))",
        "ready=tuple(set(plan.entry))",
        ("G2", "G9"),
    ),
    Fault(
        "timeout-ignored-in-a-tight-loop",
        f"{REFERENCE}/execution.py",
        "        await asyncio.sleep(0)\n",
        "",
        ("G6",),
    ),
    Fault(
        "validator-accepts-an-unknown-target",
        "targets/graph/structure.py",
        "            if name not in known:",
        "            if name not in known and end == 'source':",
        ("G7",),
    ),
)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found_within_a_minute(fault: Fault) -> None:
    found = _hunt(fault.file, fault.old, fault.new, BUDGET)
    assert found["code"] in fault.codes, found


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_unpatched_runner_has_no_findings() -> None:
    found = _hunt("", "", "", 30)
    assert found["code"] is None, found
    assert isinstance(found["cases"], int)
    assert found["cases"] > 100


def test_every_planted_edit_still_fits_the_source() -> None:
    for fault in FAULTS:
        assert (ROOT / fault.file).read_text().count(fault.old) == 1, fault.name


def _hunt(file: str, old: str, new: str, seconds: int) -> dict[str, object]:
    order = json.dumps({"file": file, "old": old, "new": new, "seconds": seconds})
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", str(LOOP)],
        input=order,
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        cwd=ROOT,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    found: dict[str, object] = json.loads(ended.stdout)
    return found
