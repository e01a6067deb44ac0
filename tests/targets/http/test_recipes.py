"""Servers of others as ready targets: how they are started, and what is said when one is not installed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from targets import registry
from targets.errors import UsageError
from targets.http.process import ServerCommand
from targets.http.recipes import llama_cpp_command, mlx_lm_command

COMMANDS = pytest.mark.parametrize("command", [llama_cpp_command, mlx_lm_command])


@COMMANDS
def test_a_server_runs_in_the_same_interpreter_on_a_free_port_of_this_machine(
    command: Callable[[Path], ServerCommand],
) -> None:
    arguments = shlex.split(command(Path("/models/tiny")).command)
    assert arguments[:2] == [sys.executable, "-m"]
    assert arguments[arguments.index("--host") + 1] == "127.0.0.1"
    assert arguments[arguments.index("--port") + 1] == "{port}"


@COMMANDS
def test_a_model_whose_path_has_a_space_is_one_argument(command: Callable[[Path], ServerCommand]) -> None:
    arguments = shlex.split(command(Path("/my models/tiny")).command)
    assert arguments[arguments.index("--model") + 1] == "/my models/tiny"


@COMMANDS
def test_nothing_is_downloaded_for_an_unknown_model(command: Callable[[Path], ServerCommand]) -> None:
    assert ("HF_HUB_OFFLINE", "1") in command(Path("/models/tiny")).environment


@pytest.mark.parametrize(
    ("name", "module", "extra"), [("llama-cpp-serve", "llama_cpp", "llama-cpp"), ("mlx-lm-serve", "mlx_lm", "mlx-lm")]
)
def test_a_server_that_is_not_installed_is_named_with_how_to_get_it(
    name: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda wanted: None if wanted == module else object())
    with pytest.raises(UsageError, match=rf"{name}.*not installed.*pip install 'inferfuzz\[server,{extra}\]'"):
        registry.find(name)
