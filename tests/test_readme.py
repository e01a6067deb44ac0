from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
ENGINE = """
class Model:
    def generate(self, prompt, count):
        tokens = list(prompt)
        for _ in range(count):
            tokens.append(%s)
        return tokens[len(prompt):]


def load(device):
    return Model()
"""
SOUND = "(7 * sum(tokens) + 1) % 256"
BROKEN = "(7 * sum(tokens) + 1) % 256 if len(tokens) % 16 else prompt[99]"


def example() -> str:
    """The first Python block of the README."""
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mymodule.py").write_text(example())
    (tmp_path / "my_engine.py").write_text(ENGINE % SOUND)
    return tmp_path


def test_the_readme_begins_with_its_two_commands() -> None:
    block = re.search(r"```\n(.*?)```", README, re.DOTALL)
    assert block
    assert [line.split("#")[0].strip() for line in block[1].strip().splitlines()] == ["make run", "make test"]


def test_the_graph_adapter_is_the_one_that_is_tested() -> None:
    adapter = (Path(__file__).parent / "examples" / "graph_adapter.py").read_text().strip()
    assert adapter in README
    assert len([line for line in adapter.splitlines() if line.strip()]) < 40


def test_an_engine_of_ones_own_takes_under_25_lines() -> None:
    assert len([line for line in example().splitlines() if line.strip()]) < 25


def test_the_example_is_clean_on_a_sound_engine(project: Path) -> None:
    done = run(project, "inferfuzz", "run", "mymodule:TARGET", "--cases", "60", "--time", "60s", "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_example_finds_a_length_that_breaks_the_engine(project: Path) -> None:
    (project / "my_engine.py").write_text(ENGINE % BROKEN)
    done = run(project, "inferfuzz", "run", "mymodule:TARGET", "--cases", "60", "--time", "60s", "--jobs", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "P1/raised-IndexError-my_engine.py:generate" in done.stdout


@pytest.mark.slow
def test_one_line_makes_a_test_of_every_property(project: Path) -> None:
    line = re.search(r'^inferfuzz_target = "mymodule:TARGET"', README, re.MULTILINE)
    assert line
    (project / "test_mine.py").write_text(line[0])
    done = run(project, "pytest", "-q", "test_mine.py")
    assert done.returncode == 0, done.stdout
