"""`inferfuzz certify`."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from fuzz.commands.certify import command


def test_the_certificate_is_printed_and_written_and_the_exit_code_is_0(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    arguments = ["scripted", "--format", "json", "--output", str(path)]
    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    assert result.return_value == 0
    assert json.loads(result.stdout) == json.loads(path.read_text())


def test_a_target_that_cannot_be_proven_in_time_ends_with_exit_code_1() -> None:
    result = CliRunner().invoke(command, ["reference", "--device", "cpu", "--limit", "1"], standalone_mode=False)
    assert result.return_value == 1
    assert "not certified" in result.stdout
