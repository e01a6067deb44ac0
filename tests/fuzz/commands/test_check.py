"""`inferfuzz check`, the release gate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fuzz.commands.check import command
from targets.errors import UsageError

ENGINE = Path(__file__).parents[2] / "data" / "tinyengine"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project."""
    (tmp_path / "pyproject.toml").write_text("[tool.inferfuzz]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(command, [*arguments, "--format", "json"], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return int(result.return_value), json.loads(result.stdout)


def test_a_clean_check_writes_its_files_and_ends_with_0(project: Path) -> None:
    code, answer = invoke("scripted", "--step", "certify", "--step", "regressions")
    assert code == 0
    assert [step["conclusion"] for step in answer["steps"]] == ["passed", "skipped"]
    folder = project / ".inferfuzz" / "check"
    assert {path.name for path in folder.iterdir()} == {"check.json", "junit.xml", "check.sarif"}


def test_an_unknown_target_is_an_error_of_its_step_and_the_others_are_run(project: Path) -> None:
    code, answer = invoke("scriptd", "scripted", "--step", "regressions", "--step", "gaps")
    assert code == 1
    by_target = {(step["step"], step["target"]): step for step in answer["steps"]}
    assert by_target["gaps", "scriptd"]["conclusion"] == "error"
    assert "scripted" in by_target["gaps", "scriptd"]["summary"]
    assert by_target["gaps", "scripted"]["conclusion"] == "failed"


def test_a_regression_that_fails_again_fails_the_check(project: Path) -> None:
    folder = project / "corpus" / "regressions"
    folder.mkdir(parents=True)
    text = {
        "finding": "abc",
        "about": "was once refused",
        "signature": "P13/x",
        "target": "broken:TARGET",
        "device": "cpu",
        "dtype": "float32",
        "codes": [],
        "case": {"type": "trace", "arrivals": [{"request": {"id": "a", "prompt": [1, 2]}}]},
    }
    (folder / "abc.json").write_text(json.dumps(text))
    (project / "broken.py").write_text(
        "from dataclasses import replace\n"
        "from targets.scripted import TARGET as GOOD, ScriptedExecutor\n\n"
        "class Broken(ScriptedExecutor):\n"
        "    def step(self):\n"
        "        raise KeyError('lost')\n\n"
        "TARGET = replace(GOOD, name='broken', open=Broken, modules=('broken',))\n"
    )
    code, answer = invoke("broken:TARGET", "--step", "regressions")
    assert code == 1
    (problem,) = answer["steps"][0]["problems"]
    assert problem["path"] == "corpus/regressions/abc.json"
    assert "was once refused" in problem["message"]


def test_without_critical_modules_nothing_is_mutated(project: Path) -> None:
    code, answer = invoke("scripted", "--step", "mutation")
    assert code == 3
    assert answer["steps"][0]["conclusion"] == "skipped"


def test_an_unknown_step_is_the_users_mistake(project: Path) -> None:
    with pytest.raises(UsageError, match="certify, regressions, properties, gaps, mutation"):
        invoke("scripted", "--step", "mutants")


@pytest.mark.slow
def test_every_step_runs_on_somebody_elses_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "project"
    shutil.copytree(ENGINE, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder / "src"))
    monkeypatch.syspath_prepend(str(folder / "src"))
    _, answer = invoke("--time", "20s", "--profile", "local")
    conclusions = {step["step"]: step["conclusion"] for step in answer["steps"]}
    assert conclusions == {
        "certify": "passed",
        "regressions": "skipped",
        "properties": "passed",
        "gaps": "failed",
    }
