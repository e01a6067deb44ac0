"""`inferfuzz doctor`."""

from __future__ import annotations

import json
import platform
import subprocess
from typing import Any

import pytest
from click.testing import CliRunner

from fuzz import doctor
from fuzz.commands.doctor import command
from fuzz.doctor import Ability, Devices, Package, Shadow


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(arguments), standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return int(result.return_value), str(result.stdout)


@pytest.fixture
def known_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing devices imports torch in a child; most tests do without."""
    monkeypatch.setattr(doctor, "devices", lambda: Devices(names=("cpu",)))


def package(name: str, version: str | None, *, required: bool) -> Package:
    return Package(name=name, purpose="tests", version=version, required=required, install=f"pip install {name}")


def test_devices_are_listed_by_a_child_process() -> None:
    assert doctor.devices().names[0] == "cpu"


def test_a_torch_that_does_not_import_is_a_problem_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", "Traceback\n  File ...\nImportError: libcudart is missing\n")

    monkeypatch.setattr(subprocess, "run", fails)
    assert doctor.devices() == Devices(names=(), problem="torch does not import: ImportError: libcudart is missing")


def test_a_torch_that_hangs_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("python", 60)

    monkeypatch.setattr(subprocess, "run", hangs)
    assert "within 60 s" in doctor.devices().problem


@pytest.mark.usefixtures("known_devices")
def test_the_json_form_holds_versions_devices_and_abilities() -> None:
    code, shown = invoke("--format", "json")
    answer: dict[str, Any] = json.loads(shown)
    versions = {entry["name"]: entry["version"] for entry in answer["packages"]}
    assert versions["hypothesis"]
    assert answer["devices"]["names"] == ["cpu"]
    assert {"fork", "shared memory", "pidfd", "prctl"} <= {entry["name"] for entry in answer["abilities"]}
    assert code == (2 if answer["problems"] else 0)


@pytest.mark.usefixtures("known_devices")
def test_the_text_form_names_every_package() -> None:
    _, shown = invoke()
    assert all(entry.name in shown for entry in doctor.packages())


@pytest.mark.usefixtures("known_devices")
def test_a_missing_required_package_ends_with_code_2_and_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "packages", lambda: (package("hypothesis", None, required=True),))
    code, shown = invoke()
    assert code == 2
    assert "hypothesis is missing. Run: pip install hypothesis" in shown


def test_a_missing_optional_package_is_no_problem() -> None:
    assert doctor.problems((package("transformers", None, required=False),), (), ()) == ()


def test_a_missing_ability_is_a_problem_only_when_required() -> None:
    optional = Ability(name="pidfd", available=False, detail="polled instead")
    required = Ability(name="fork", available=False, detail="this platform has none", required=True)
    assert doctor.problems((), (optional, required), ()) == ("fork: this platform has none",)


def test_a_hidden_package_names_both_files() -> None:
    shadow = Shadow(name="fuzz", ours="/ours/fuzz/__init__.py", found="/theirs/fuzz.py")
    (problem,) = doctor.problems((), (), (shadow,))
    assert "/ours/fuzz/__init__.py" in problem
    assert "/theirs/fuzz.py" in problem


@pytest.mark.parametrize(
    ("system", "machine", "published"),
    [("Linux", "x86_64", True), ("Linux", "aarch64", False), ("Darwin", "arm64", False), ("Windows", "AMD64", False)],
)
def test_atheris_has_wheels_for_linux_on_x86_only(system: str, machine: str, published: bool) -> None:
    assert doctor.atheris_wheel(system, machine) is published


def test_without_a_wheel_the_engine_that_takes_its_place_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    atheris = next(entry for entry in doctor.packages() if entry.name == "atheris")
    assert (atheris.install, "guided" in atheris.note) == ("", True)


def test_the_library_of_a_target_is_listed_with_the_targets_that_need_it() -> None:
    transformers = next(entry for entry in doctor.packages() if entry.name == "transformers")
    assert transformers.purpose.startswith("targets transformers, transformers-continuous")
    assert transformers.install == "pip install 'inferfuzz[transformers]'"
