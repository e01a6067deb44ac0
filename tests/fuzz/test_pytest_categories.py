"""Test categories under pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.configuration import Category, Configuration
from fuzz.pytest_categories import TIMEOUTS, category_of, timeouts
from targets.errors import UsageError


@pytest.mark.parametrize(
    ("node", "markers", "category"),
    [
        ("tests/test_a.py::test_b", (), ""),
        ("tests/test_a.py::test_b", ("stress",), "stress"),
        ("tests/integration/test_a.py::test_b", (), "integration"),
        ("tests/integration/test_a.py::test_b", ("unit",), "unit"),
        ("tests/test_long_run.py::test_b", (), "endurance"),
    ],
)
def test_the_category_follows_from_marker_pattern_or_folder(node: str, markers: tuple[str, ...], category: str) -> None:
    categories = {"endurance": Category(names=("*test_long_*",))}
    assert category_of(node, markers, TIMEOUTS, categories) == category


def test_a_project_changes_a_timeout() -> None:
    assert timeouts(Configuration(categories={"unit": Category(timeout=5.0)}))["unit"] == 5.0


def test_a_category_of_ones_own_needs_a_timeout() -> None:
    with pytest.raises(UsageError, match=r"categories\.smoke\] needs timeout"):
        timeouts(Configuration(categories={"smoke": Category()}))


@pytest.mark.parametrize(("section", "outcome"), [("[tool.inferfuzz]\n", "Timeout"), ("", "1 passed")])
def test_only_projects_that_use_inferfuzz_get_timeouts(tmp_path: Path, section: str, outcome: str) -> None:
    if section:
        section += "[tool.inferfuzz.categories.unit]\ntimeout = 0.3\n[tool.inferfuzz.profiles.local]\npatience = 1.0\n"
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\n{section}")
    (tmp_path / "test_it.py").write_text(
        "import time\nimport pytest\n\n@pytest.mark.unit\ndef test_slow():\n    time.sleep(0.8)\n"
    )
    plugins = ["-p", "no:cacheprovider", "-p", "fuzz.pytest_plugin", "-p", "pytest_timeout"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, "--inferfuzz-profile", "local"],
        cwd=tmp_path,
        # Other plugins of this environment take seconds to import.
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome in run.stdout, run.stdout + run.stderr
