from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.configuration import Configuration, load
from targets.errors import UsageError


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load(tmp_path) == Configuration()


def test_the_nearest_section_upwards_counts(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.inferfuzz]\ntime = "5m"\ntargets = ["reference"]\n')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert load(inner).time == "5m"


def test_an_unknown_setting_gets_the_file_and_the_nearest_match(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.inferfuzz]\njbos = 2\n")
    with pytest.raises(UsageError, match=r"pyproject\.toml.*unknown field `jbos`.*Did you mean 'jobs'"):
        load(tmp_path)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.inferfuzz\n")
    with pytest.raises(UsageError, match=r"pyproject\.toml cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize("setting", ["lines = 250", "branches = -1", "mutation = 85"])
def test_a_minimum_that_nothing_can_reach_is_refused(tmp_path: Path, setting: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.inferfuzz.tiers.critical]\n{setting}\n")
    with pytest.raises(UsageError, match=setting.partition(" ")[0]):
        load(tmp_path)
