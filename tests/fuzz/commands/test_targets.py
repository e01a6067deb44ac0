"""`inferfuzz targets`."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner

from fuzz.commands import targets as module
from fuzz.commands.targets import command
from targets import registry
from targets.errors import UsageError
from targets.registry import Listing


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments), standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    assert result.return_value == 0
    return str(result.stdout)


def listed() -> dict[str, dict[str, Any]]:
    return {line["name"]: line for line in json.loads(invoke("--format", "json"))}


def test_every_built_in_target_is_listed() -> None:
    assert set(listed()) >= {"reference", "reference-hash", "transformers", "transformers-continuous", "scripted"}


def test_the_text_names_every_target_whole() -> None:
    shown = invoke()
    assert all(name in shown for name in listed())


def test_a_target_without_its_library_is_listed_with_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Listing("absent", "needs more", "somewhere:TARGET", {"not_installed": "pip install 'inferfuzz[more]'"})
    monkeypatch.setattr(module, "listings", lambda: (absent,))
    assert listed()["absent"]["install"] == ["pip install 'inferfuzz[more]'"]
    assert "pip install 'inferfuzz[more]'" in " ".join(invoke().split())


def test_listing_imports_no_heavy_library() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from fuzz.commands.targets import command; "
        "assert CliRunner().invoke(command, []).exit_code == 0; "
        "print(*({'torch', 'transformers', 'hypothesis', 'scipy'} & set(sys.modules)))"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.split() == []


def test_a_name_shows_knobs_limits_and_domain() -> None:
    shown = json.loads(invoke("transformers-continuous", "--format", "json"))
    assert "block_size" in [knob["name"] for knob in shown["knobs"]]
    assert shown["limits"]["context_length"] == 128
    assert "seed" not in shown["domain"]["supported"]
    assert shown["devices"][0] == "cpu"


@pytest.mark.parametrize("name", ["transformers", "transformers-continuous", "scripted"])
def test_the_text_of_a_target_names_every_knob_and_supported_parameter(name: str) -> None:
    target, shown = registry.find(name), invoke(name)
    assert all(knob.name in shown for knob in target.knobs)
    assert target.domain is None or all(field in shown for field in target.domain.supported)


def test_an_unknown_target_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="Did you mean 'transformers'"):
        invoke("transformer")


def test_a_target_that_does_not_import_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match=r"no_such_module.*does not import"):
        invoke("no_such_module:TARGET")
