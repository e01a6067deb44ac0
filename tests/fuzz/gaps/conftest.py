"""A third-party package in src/ layout, copied to where tests may change it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "data" / "tinyengine"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the project; the working directory, with its package importable here and in children."""
    folder = tmp_path / "project"
    shutil.copytree(DATA, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(folder)
    source = str(folder / "src")
    monkeypatch.syspath_prepend(source)
    monkeypatch.setenv("PYTHONPATH", source)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "tinyengine"]:
        del sys.modules[name]
