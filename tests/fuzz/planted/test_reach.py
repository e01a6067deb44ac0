from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.planted.edit import Edit
from fuzz.planted.hook import install as plant
from fuzz.planted.reach import arms_of
from fuzz.probes.hook import install
from fuzz.probes.plan import plan_probes

NAME = "planted_reach_sample"
SOURCE = """
def f(x: int) -> int:
    if x > 0:
        y = x + 1
        for step in range(y):
            x += step
        return x
    return 2


def g(x: int) -> int:
    return x * 2
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / f"{NAME}.py"
    path.write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    known = list(sys.meta_path)
    yield path
    sys.modules.pop(NAME, None)
    sys.meta_path[:] = known


@pytest.mark.parametrize(
    ("before", "after", "reaching", "missing"),
    [
        ("y = x + 1", "y = x + 3", ("f", 1), ("f", 0)),
        ("x += step", "x -= step", ("f", 1), ("f", 0)),
        ("x * 2", "x * 3", ("g", 1), ("f", 1)),
    ],
)
def test_the_arms_tell_whether_the_block_of_the_edited_line_ran(
    module: Path, before: str, after: str, reaching: tuple[str, int], missing: tuple[str, int]
) -> None:
    edit = Edit(module=NAME, before=before, after=after)
    plant(edit)
    plan = plan_probes([NAME])
    probes = bytearray(plan.size)
    install(plan, memoryview(probes))
    sample = importlib.import_module(NAME)
    arms = arms_of(edit, SOURCE, plan)

    def ran(call: tuple[str, int]) -> bool:
        probes[:] = bytes(plan.size)
        getattr(sample, call[0])(call[1])
        return any(probes[arm] for arm in arms)

    assert ran(reaching)
    assert not ran(missing)


def test_a_module_without_probes_has_no_arms() -> None:
    assert arms_of(Edit(module="none", before="a", after="b"), "a", plan_probes([])) == ()
