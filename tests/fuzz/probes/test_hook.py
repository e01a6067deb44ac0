from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.probes.features import mark_features
from fuzz.probes.hook import ProbeHook, install
from fuzz.probes.plan import ProbePlan, plan_probes

SOURCE = "from __future__ import annotations\n\n\ndef f(x: int) -> int:\n    if x:\n        return 1\n    return 2\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "probed_hook_sample.py"
    path.write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield path
    sys.modules.pop("probed_hook_sample", None)
    for finder in [finder for finder in sys.meta_path if isinstance(finder, ProbeHook)]:
        finder.remove()


def planned() -> tuple[ProbePlan, bytearray]:
    plan = plan_probes(["probed_hook_sample"])
    return plan, bytearray(plan.size)


def test_an_imported_module_writes_into_the_map(module: Path) -> None:
    plan, probes = planned()
    install(plan, memoryview(probes))
    sample = importlib.import_module("probed_hook_sample")
    assert sample.f(0) == 2
    assert sum(map(bool, probes)) == 1
    assert sample.f(1) == 1
    assert sum(map(bool, probes)) == 2


def test_source_and_name_of_a_probed_module_are_its_own(module: Path) -> None:
    plan, probes = planned()
    install(plan, memoryview(probes))
    sample = importlib.import_module("probed_hook_sample")
    assert sample.__file__ == str(module)
    assert inspect.getsource(sample.f) == SOURCE[SOURCE.index("def") :]


def test_the_bytecode_cache_is_neither_read_nor_written(module: Path) -> None:
    plan, probes = planned()
    hook = install(plan, memoryview(probes))
    importlib.import_module("probed_hook_sample").f(1)
    hook.remove()
    del sys.modules["probed_hook_sample"]
    probes[:] = bytes(len(probes))
    importlib.import_module("probed_hook_sample").f(1)
    assert not any(probes)
    del sys.modules["probed_hook_sample"]
    install(plan, memoryview(probes))
    importlib.import_module("probed_hook_sample").f(1)
    assert any(probes)


def test_a_module_imported_before_is_reported_as_late(module: Path) -> None:
    importlib.import_module("probed_hook_sample")
    plan, probes = planned()
    assert install(plan, memoryview(probes)).late == ("probed_hook_sample",)


def test_a_source_that_changed_since_the_plan_is_imported_without_probes(module: Path) -> None:
    plan, probes = planned()
    module.write_text(SOURCE + "\nif f:\n    pass\n")
    hook = install(plan, memoryview(probes))
    assert importlib.import_module("probed_hook_sample").f(1) == 1
    assert hook.changed == ["probed_hook_sample"]
    assert not any(probes)


def test_a_map_that_is_too_small_is_refused(module: Path) -> None:
    plan, _ = planned()
    with pytest.raises(ValueError, match="too small"):
        install(plan, memoryview(bytearray(plan.size - 1)))


def test_features_stand_behind_the_arms(module: Path) -> None:
    plan, probes = planned()
    mark_features(memoryview(probes), plan.arms, [0, 4095])
    assert [number for number, byte in enumerate(probes) if byte] == [plan.arms, plan.arms + 4095]
