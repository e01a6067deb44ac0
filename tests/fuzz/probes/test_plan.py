from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from fuzz.probes.arms import ArmKind
from fuzz.probes.plan import FEATURES, arm_location, plan_probes


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "probed_sample"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('planning must not import')\n")
    (folder / "branchy.py").write_text(
        "'''Text 12345.'''\nLIMIT = 4097\n\ndef f(x: 'note'):\n    if x == 'magic' or x == -7:\n        return 0.25\n"
    )
    (folder / "broken.py").write_text("def f(:\n")
    (folder / "inner" / "__init__.py").write_text("")
    (folder / "inner" / "leaf.py").write_text("def g():\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.startswith("probed_sample")]:
        del sys.modules[name]


def test_a_package_includes_everything_below_it_and_nothing_is_imported(package: Path) -> None:
    plan = plan_probes(["probed_sample"])
    assert [module.name for module in plan.modules] == [
        "probed_sample",
        "probed_sample.branchy",
        "probed_sample.inner",
        "probed_sample.inner.leaf",
    ]
    assert "probed_sample" not in sys.modules


def test_a_module_named_exactly_stands_alone(package: Path) -> None:
    plan = plan_probes(["probed_sample.inner.leaf"])
    assert [module.name for module in plan.modules] == ["probed_sample.inner.leaf"]


def test_the_numbers_do_not_depend_on_the_order_of_the_names(package: Path) -> None:
    names = ["probed_sample.inner.leaf", "probed_sample.branchy", "probed_sample"]
    assert plan_probes(names) == plan_probes(reversed(names)) == plan_probes(["probed_sample"])


def test_modules_without_usable_source_are_named_with_the_reason(package: Path) -> None:
    unprobed = plan_probes(["probed_sample", "no_such_module_anywhere", "math"]).unprobed
    assert unprobed["probed_sample.broken"].startswith("cannot be parsed")
    assert unprobed["no_such_module_anywhere"] == "not found"
    assert unprobed["math"].startswith("no Python source")


def test_a_finder_in_front_of_the_ordinary_one_changes_nothing(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # pytest rewrites the assertions of plugins, in a process where a plan is made but not in its workers.
    class Rewriting(Loader):
        pass

    class Front:
        def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
            return ModuleSpec(name, Rewriting()) if name == "probed_sample" else None

    plain = plan_probes(["probed_sample"])
    monkeypatch.setattr(sys, "meta_path", [Front(), *sys.meta_path])
    assert plan_probes(["probed_sample"]) == plain


def test_an_arm_is_located_by_its_number(package: Path) -> None:
    plan = plan_probes(["probed_sample"])
    last = arm_location(plan, plan.arms - 1)
    assert last is not None
    assert (last.module, last.line, last.kind) == ("probed_sample.inner.leaf", 2, ArmKind.FUNCTION)
    assert str(last) == f"{package / 'inner' / 'leaf.py'}:2: function entered in g"


def test_bytes_behind_the_arms_belong_to_behaviour_features(package: Path) -> None:
    plan = plan_probes(["probed_sample"])
    assert plan.size == plan.arms + FEATURES
    assert arm_location(plan, plan.arms) is None


def test_constants_are_values_the_code_mentions_and_not_its_texts(package: Path) -> None:
    constants = plan_probes(["probed_sample.branchy"]).constants
    assert set(constants.integers) >= {4097, -7}
    assert constants.numbers == (0.25,)
    assert constants.strings == ("magic",)
