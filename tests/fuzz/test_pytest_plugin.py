from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from fuzz.findings.regression import Regression, save

ENGINE = """
from dataclasses import replace
from inferfuzz_target import MyExecutor, TARGET as GOOD


class Engine(MyExecutor):
    def submit(self, request):
        super().submit(request)
        if LIMIT and len(request.prompt) > LIMIT:
            raise IndexError("block table")


LIMIT = %d
TARGET = replace(GOOD, name="engine", open=lambda model: Engine(model), modules=("engine",))
"""
SAMPLING = b'{"max_tokens":1,"temperature":0.0}'
CASE = b'{"arrivals":[{"request":{"id":"r0","prompt":[1,2,3,4,5],"sampling":' + SAMPLING + b'}}],"type":"trace"}'
REGRESSION = Regression(
    finding="0123456789ab",
    about="a prompt of five tokens overran the block table",
    signature="P1/raised-IndexError-engine.py:submit",
    target="engine:TARGET",
    device="cpu",
    dtype="float32",
    codes=("P1",),
    case=msgspec.Raw(CASE),
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "inferfuzz", "init", str(tmp_path)], check=True, capture_output=True)
    (tmp_path / "test_inference.py").unlink()
    (tmp_path / "engine.py").write_text(ENGINE % 4)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_promoted_finding_fails_until_the_bug_is_fixed(project: Path) -> None:
    save(project / "corpus" / "regressions", REGRESSION)
    broken = run(project)
    assert broken.returncode == 1, broken.stdout
    assert "a prompt of five tokens overran the block table" in broken.stdout
    (project / "engine.py").write_text(ENGINE % 0)
    fixed = run(project)
    assert fixed.returncode == 0, fixed.stdout
    assert "1 passed" in fixed.stdout


@pytest.mark.parametrize("ci", ["", "true"])
def test_a_failing_property_shows_the_shrunk_case_once(project: Path, monkeypatch: pytest.MonkeyPatch, ci: str) -> None:
    # On CI pytest does not shorten what it repeats in its summary, and Hypothesis draws the same cases every time.
    monkeypatch.setenv("CI", ci)
    (project / "test_engine.py").write_text('inferfuzz_target = "engine:TARGET"\n')
    done = run(project, "-k", "P1[")
    assert done.returncode == 1, done.stdout
    assert "engine:TARGET on cpu float32: P1/raised-IndexError-engine.py:submit" in done.stdout
    shown = done.stdout[done.stdout.index("case:") :]
    assert shown.count('"id"') == 1
    assert "1 failed" in done.stdout


def test_an_unknown_target_is_the_users_mistake(project: Path) -> None:
    done = run(project, "--inferfuzz-target", "refrence")
    assert done.returncode == 4
    assert "Did you mean 'reference'" in done.stdout + done.stderr


def test_a_damaged_regression_is_named(project: Path) -> None:
    folder = project / "corpus" / "regressions"
    folder.mkdir(parents=True)
    (folder / "bad.json").write_text("{")
    done = run(project)
    assert done.returncode == 1
    assert "bad.json cannot be read" in done.stdout


@pytest.mark.slow
def test_the_suite_runs_under_xdist_with_an_id_for_each_property(project: Path) -> None:
    (project / "engine.py").write_text(ENGINE % 0)
    done = run(project, "--inferfuzz-target", "engine:TARGET", "-n", "2", "-vv")
    assert done.returncode == 0, done.stdout
    assert "P11[engine:TARGET-cpu-float32]" in done.stdout
    assert "needs ScoresTokens" in run(project, "--inferfuzz-target", "engine:TARGET", "-rs", "-k", "P16").stdout
