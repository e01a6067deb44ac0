from __future__ import annotations

import os

import pytest

from fuzz.campaign.units import ALLOWED_HOSTS, DEFAULT_TARGETS, allow, server_name, units_of
from targets.errors import UsageError


def test_without_a_name_the_reference_executor_is_run() -> None:
    assert {unit.target for unit in units_of((), ("cpu",), ())} == set(DEFAULT_TARGETS)


def test_each_target_runs_on_each_device_in_each_number_format() -> None:
    units = units_of(("reference", "scripted"), ("cpu",), ("float32",))
    assert [unit.label for unit in units] == ["reference cpu float32", "scripted cpu float32"]


def test_a_number_format_that_is_not_offered_names_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"Unknown dtype 'float8'\..*Known: bfloat16, float32"):
        units_of(("reference",), ("cpu",), ("float8",))


@pytest.mark.parametrize(
    ("dialect", "family", "name"),
    [
        (None, None, "http://127.0.0.1:8000"),
        ("ollama", None, "ollama+http://127.0.0.1:8000"),
        ("openai", "vllm", "openai:vllm+http://127.0.0.1:8000"),
        (None, "vllm", "openai:vllm+http://127.0.0.1:8000"),
    ],
)
def test_a_server_by_url_takes_its_dialect_and_family_into_its_name(
    dialect: str | None, family: str | None, name: str
) -> None:
    assert server_name("http://127.0.0.1:8000", dialect, family) == name


def test_other_targets_keep_their_name() -> None:
    assert server_name("reference", "ollama", None) == "reference"


def test_allowed_hosts_reach_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED_HOSTS, "one.example")
    allow(("two.example",))
    assert os.environ[ALLOWED_HOSTS] == "one.example,two.example"
