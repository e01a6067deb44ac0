from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.planted.edit import Edit
from fuzz.planted.fresh import planted_target
from fuzz.planted.hook import PlantedFinder, install
from fuzz.probes.hook import ProbeHook
from fuzz.probes.hook import install as install_probes
from fuzz.probes.plan import plan_probes

NAME = "planted_hook_sample"
EDIT = Edit(module=NAME, before="return 2", after="return 3 if x < 0 else 2")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / f"{NAME}.py"
    path.write_text("def f(x: int) -> int:\n    if x > 0:\n        return 1\n    return 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield path
    sys.modules.pop(NAME, None)
    for finder in [finder for finder in sys.meta_path if isinstance(finder, PlantedFinder | ProbeHook)]:
        finder.remove()


def test_a_module_is_imported_with_the_edit_and_its_file_is_left_alone(module: Path) -> None:
    plain = module.read_text()
    install(EDIT)

    assert importlib.import_module(NAME).f(-1) == 3
    assert module.read_text() == plain


def test_the_bytecode_cache_neither_hides_the_edit_nor_keeps_it(module: Path) -> None:
    assert importlib.import_module(NAME).f(-1) == 2
    del sys.modules[NAME]
    finder = install(EDIT)
    assert importlib.import_module(NAME).f(-1) == 3
    finder.remove()
    del sys.modules[NAME]
    assert importlib.import_module(NAME).f(-1) == 2


def test_probes_go_into_the_edited_source(module: Path) -> None:
    plain = plan_probes([NAME])
    install(EDIT)
    plan = plan_probes([NAME])
    assert plan.arms > plain.arms
    probes = bytearray(plan.size)
    hook = install_probes(plan, memoryview(probes))

    assert importlib.import_module(NAME).f(-1) == 3
    assert hook.changed == []
    assert any(probes)


def test_a_module_that_is_imported_already_is_refused(module: Path) -> None:
    importlib.import_module(NAME)

    with pytest.raises(ImportError, match="before the bug could be planted"):
        install(EDIT)


def test_a_fresh_copy_of_a_target_leaves_the_plain_one_alone() -> None:
    plain = importlib.import_module("targets.reference.text.stop")
    edit = Edit(module=plain.__name__, before="longest = max(", after="longest = 0 * max(")
    with planted_target("reference-hash", edit) as target:
        copy = importlib.import_module(plain.__name__)
        assert copy is not plain
        assert target.name == "reference-hash"

    assert importlib.import_module(plain.__name__) is plain
    assert importlib.import_module("targets.reference.text").stop is plain
