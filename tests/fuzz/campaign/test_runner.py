from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from fuzz.campaign.plan import CampaignPlan, Unit
from fuzz.campaign.runner import run_campaign
from fuzz.campaign.state import CampaignState, exit_code
from fuzz.findings import store

FAULTY = """
import ctypes, os, time
from dataclasses import replace
from inferfuzz_target import MyExecutor, TARGET as GOOD

class Faulty(MyExecutor):
    def submit(self, request):
        super().submit(request)
        prompt = request.prompt
        if FAULT == "segfault" and len(prompt) > 8:
            ctypes.string_at(0)
        if FAULT == "hang" and len(prompt) > 8:
            while True:
                pass
        if FAULT == "late" and time.monotonic() > IMPORTED + 6.0:
            while True:
                pass
        if FAULT == "exit" and len(prompt) > 8:
            os._exit(0)

    def advance(self, name):
        event = super().advance(name)
        if FAULT == "neighbour" and event.token_id is not None and len(self.running) > 1:
            return type(event)(**{f: getattr(event, f) for f in event.__struct_fields__} | {"token_id": 1})
        return event

FAULT = "%s"
IMPORTED = time.monotonic()
TARGET = replace(GOOD, name="faulty", open=lambda model: Faulty(model), modules=("faulty",))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the skeleton of `inferfuzz init`; the current folder."""
    subprocess.run([sys.executable, "-m", "inferfuzz", "init", str(tmp_path)], check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def campaign(
    project: Path, target: str, *, executions: int = 150, seconds: float = 60.0, deadline: float = 1.0
) -> CampaignState:
    plan = CampaignPlan(
        units=(Unit(target=target, device="cpu", dtype="float32"),),
        seconds=seconds,
        jobs=1,
        seed=1,
        engine="guided",
        executions=executions,
        folder=str(project / "kept"),
        deadline=deadline,
    )
    return run_campaign(plan, lambda _state: None)


def broken(project: Path, fault: str) -> str:
    (project / "faulty.py").write_text(FAULTY % fault)
    return "faulty:TARGET"


def is_shrunk(arrival: dict[str, Any]) -> bool:
    """The fault needs a prompt of nine tokens, or one that grows so long when a property adds the answer.

    Shrinking has a limit of time, which a busy machine may reach a little earlier.
    """
    prompt, most = len(arrival["request"]["prompt"]), arrival["request"]["sampling"]["max_tokens"]
    return prompt <= 12 and prompt + most >= 9


def test_a_sound_executor_has_no_findings(project: Path) -> None:
    state = campaign(project, "inferfuzz_target:TARGET")
    assert not state.findings
    assert state.total("executions") == 150
    assert exit_code(state) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "signature"), [("exit", "exited/exit-0"), ("hang", "hung/faulty.py:submit")])
def test_a_fatal_fault_is_one_finding_and_the_campaign_goes_on(project: Path, fault: str, signature: str) -> None:
    state = campaign(project, broken(project, fault), executions=12)
    (finding,) = state.findings.values()
    assert finding.signature == signature
    assert state.total("executions") == 12
    arrivals = json.loads(bytes(finding.case))["arrivals"]
    assert len(arrivals) == 1
    assert is_shrunk(arrivals[0])
    assert exit_code(state) == 1


@pytest.mark.slow
def test_a_neighbour_that_changes_an_answer_is_one_finding(project: Path) -> None:
    state = campaign(project, broken(project, "neighbour"))
    (finding,) = state.findings.values()
    assert finding.signature.startswith("P")
    assert len(json.loads(bytes(finding.case))["arrivals"]) <= 2


def test_a_crash_is_one_finding_that_is_shrunk_stored_and_replays(project: Path) -> None:
    state = campaign(project, broken(project, "segfault"), executions=40)
    (finding,) = state.findings.values()
    assert finding.signature == "crashed/SIGSEGV/faulty.py:submit"
    assert state.total("executions") == 40
    (arrival,) = json.loads(bytes(finding.case))["arrivals"]
    assert is_shrunk(arrival)
    found, damaged = store.read_all(project / "kept" / "findings")
    assert [item.id for item in found] == [finding.id]
    assert not damaged
    command = [sys.executable, "-m", "inferfuzz", "replay", finding.id[:6], "--folder", "kept", "--times", "3"]
    replayed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert replayed.returncode == 1, replayed.stderr
    assert "still fails: crashed/SIGSEGV/faulty.py:submit in 3 of 3 replays" in " ".join(replayed.stdout.split())


@pytest.mark.slow
def test_the_corpus_carries_over_to_the_next_run(project: Path) -> None:
    first = campaign(project, "inferfuzz_target:TARGET", executions=30)
    kept = list((project / "kept" / "corpus").rglob("*.json"))
    assert kept
    second = campaign(project, "inferfuzz_target:TARGET", executions=30)
    (before,), (after,) = first.jobs.values(), second.jobs.values()
    assert before.described
    assert after.described
    assert after.described.corpus == before.described.corpus + len(kept)


@pytest.mark.slow
def test_a_job_that_is_ended_amid_a_case_is_no_longer_said_to_shrink(project: Path) -> None:
    state = campaign(project, broken(project, "late"), executions=100_000, seconds=14.0, deadline=60.0)
    (job,) = state.jobs.values()
    assert (job.ended, job.triage) == ("ended amid a case", "")
    assert job.progress is not None and job.progress.executions > 20


def test_a_target_that_does_not_load_is_reported_with_its_error(project: Path) -> None:
    (project / "unloadable.py").write_text(
        "from dataclasses import replace\n"
        "from inferfuzz_target import TARGET as GOOD\n"
        "def load(device, dtype):\n    raise OSError('weights.bin is truncated')\n"
        "TARGET = replace(GOOD, load=load)\n"
    )
    state = campaign(project, "unloadable:TARGET")
    (job,) = state.jobs.values()
    assert job.broken
    assert not job.broken.ours
    assert "weights.bin is truncated" in job.broken.message
    assert exit_code(state) == 2


def test_interrupting_ends_with_a_summary_and_leaves_no_process(project: Path) -> None:
    command = [sys.executable, "-m", "inferfuzz", "run", "inferfuzz_target:TARGET", "--time", "60s", "--jobs", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        _until(lambda: len(psutil.Process(process.pid).children(recursive=True)) >= 3)
        family = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGINT)
        stdout, _ = process.communicate(timeout=45)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "interrupted" in stdout
    _until(lambda: not any(member.is_running() for member in family))


def _until(condition: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    assert callable(condition)
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
