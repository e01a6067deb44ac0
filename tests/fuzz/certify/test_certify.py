"""Certification: what it proves, what it notices, and that it always ends."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from fuzz.certify import executors
from fuzz.certify.fingerprint import code_fingerprint, model_fingerprint
from fuzz.certify.model import Certificate, CertifyPlan, Status
from fuzz.certify.run import certify
from fuzz.certify.subject import StepFailed, Subject
from targets.contract import Target
from targets.errors import UsageError
from targets.registry import find

HERE = Path(__file__).parent


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module `broken_targets` can be named as a target, here and in child processes."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", str(HERE))


def subject_of(target: Target) -> Subject:
    return Subject(target, "cpu", "float32")


def failed_steps(certificate: Certificate) -> list[str]:
    (device,) = certificate.devices
    return [step.name for step in device.steps if step.status is Status.FAILED]


def test_a_sound_target_is_certified_with_every_step() -> None:
    certificate = certify(CertifyPlan(target="scripted"))
    assert certificate.certified, certificate
    (device,) = certificate.devices
    assert [step.name for step in device.steps] == [*executors.STEPS, "deadline"]
    assert {step.name for step in device.steps if step.status is not Status.PASSED} == {"finite"}
    assert certificate.code["targets.scripted"] == code_fingerprint(("targets.scripted",))["targets.scripted"]
    assert certificate.versions["python"].startswith(f"{sys.version_info.major}.")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reference", "reference-hash", "reference-openai", "graph", "langgraph"])
def test_the_other_built_in_targets_are_certified(name: str) -> None:
    certificate = certify(CertifyPlan(target=name, devices=("cpu",), limit=60.0))
    assert certificate.certified, certificate


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    ("name", "step", "says"),
    [
        ("DRIFTING", "canary", "differ"),
        ("CREDULOUS", "rejection", "was not refused"),
        ("RELUCTANT", "abort", "aborted request ended"),
    ],
)
def test_a_broken_executor_fails_the_step_that_is_about_it(name: str, step: str, says: str) -> None:
    with pytest.raises(StepFailed, match=says):
        executors.STEPS[step](subject_of(find(f"broken_targets:{name}")))


@pytest.mark.slow
@pytest.mark.usefixtures("broken")
def test_an_executor_that_exits_fails_its_steps_and_the_others_are_still_tried() -> None:
    certificate = certify(CertifyPlan(target="broken_targets:DYING"))
    assert not certificate.certified
    assert "canary" in failed_steps(certificate)
    (device,) = certificate.devices
    assert device.steps[-1].status is not Status.UNREACHED


@pytest.mark.usefixtures("broken")
def test_a_step_that_never_ends_is_ended_at_the_limit() -> None:
    limit = 4.0
    started = time.monotonic()
    certificate = certify(CertifyPlan(target="broken_targets:ENDLESS", limit=limit))
    assert time.monotonic() - started < limit + 5
    assert failed_steps(certificate)
    (device,) = certificate.devices
    assert device.steps[-1].status is not Status.PASSED


def test_a_module_that_never_ends_its_import_is_ended_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endless_import.py").write_text("while True:\n    pass\n")
    monkeypatch.chdir(tmp_path)
    certificate = certify(CertifyPlan(target="endless_import:TARGET", limit=2.0))
    assert not certificate.certified
    assert "within the limit of 2 s" in certificate.problem


@pytest.mark.usefixtures("broken")
def test_a_model_that_does_not_load_leaves_the_rest_unreached() -> None:
    certificate = certify(CertifyPlan(target="broken_targets:UNLOADABLE"))
    (device,) = certificate.devices
    assert "weights.safetensors" in device.steps[0].detail
    assert {step.status for step in device.steps[1:]} == {Status.UNREACHED}


def test_an_unknown_target_is_the_users_mistake() -> None:
    with pytest.raises(UsageError, match="scripted"):
        certify(CertifyPlan(target="scriptd"))


def test_the_fingerprint_of_a_model_changes_with_a_weight() -> None:
    import numpy as np

    model = {"layer": {"weight": np.arange(6.0)}}
    before = model_fingerprint(model)
    model["layer"]["weight"][3] = 7.0
    assert before != model_fingerprint(model)
    assert before.startswith("sampled-sha256:")


def test_a_model_without_tensors_says_so() -> None:
    assert model_fingerprint(object()) == "no tensors found"
