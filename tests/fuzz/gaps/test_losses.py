"""The report names what is lost when a property or a strategy is taken away, on a copy of the reference executor."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fuzz.corpus.store import load
from fuzz.gaps.cases import strategy_of

ROOT = Path(__file__).parents[3]
PARTS = ("targets", "strategies", "fuzz", "corpus")
SCHEDULER = "targets/reference/schedule/scheduler.py"
STOP = "targets/reference/text/stop.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "inferfuzz.py"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def gaps(folder: Path) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "inferfuzz.py", "gaps", "reference-hash", "--tier", "critical", "--format", "json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        check=False,
    )
    assert done.stdout, done.stderr.decode()
    return done.returncode, json.loads(done.stdout)


def opened(answer: dict[str, Any]) -> set[tuple[str, str]]:
    return {(gap["path"], gap["function"]) for gap in answer["changes"]["opened"]}


def test_without_the_property_of_faults_nobody_reaches_how_a_request_fails(copy: Path) -> None:
    registered = copy / "fuzz" / "properties" / "executors" / "__init__.py"
    registered.write_text(re.sub(r'^    "?faults"?,\n', "", registered.read_text(), flags=re.MULTILINE))
    code, answer = gaps(copy)
    assert code == 1
    assert opened(answer) == {
        (SCHEDULER, "Scheduler._continue_or_fail"),
        (SCHEDULER, "Scheduler._admit"),
        (SCHEDULER, "Scheduler._fail"),
    }
    assert any("property P35 judged the cases of the baseline" in note for note in answer["notes"])


def test_without_the_strategy_of_sampling_nobody_reaches_a_stop_string(copy: Path) -> None:
    for stored in load(copy / "corpus" / "seeds").entries:
        if strategy_of(stored.case) == "strategies.sampling":
            stored.path.unlink()
    code, answer = gaps(copy)
    assert code == 1
    assert opened(answer) == {(STOP, "StopScanner.push"), (STOP, "earliest_match")}
    assert any("such as strategies.sampling makes" in note for note in answer["notes"])
