from __future__ import annotations

import sys
from pathlib import Path

import pytest

from targets import registry
from targets.contract import Executor, Knob, Limits, Target
from targets.devices import check_device
from targets.errors import UsageError


def _open(_model: object) -> Executor:
    raise AssertionError("not opened in these tests")


TARGET = Target(
    name="mine",
    summary="",
    load=lambda _device, _dtype: None,
    open=_open,
    limits=Limits(vocab_size=4, context_length=8),
    knobs=(Knob("block_size", 4, (4, 8)),),
)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module `own_target` in the current folder; its file is returned for writing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_target", raising=False)
    return tmp_path / "own_target.py"


def test_an_unknown_name_gets_the_nearest_match() -> None:
    with pytest.raises(UsageError, match=r"Unknown target 'refernce'\. Did you mean 'reference'\?"):
        registry.find("refernce")


def test_a_target_of_ones_own_is_found_from_the_current_folder(module: Path) -> None:
    module.write_text("from tests_target import TARGET\n")
    (module.parent / "tests_target.py").write_text(
        "from targets.contract import Limits, Target\n"
        "TARGET = Target(name='mine', summary='', load=None, open=None,"
        " limits=Limits(vocab_size=4, context_length=8))\n"
    )
    assert registry.find("own_target:TARGET").name == "mine"


def test_a_module_that_fails_to_import_is_named_with_its_error(module: Path) -> None:
    module.write_text("raise RuntimeError('no licence')\n")
    with pytest.raises(UsageError, match=r"'own_target'.*does not import: RuntimeError: no licence"):
        registry.find("own_target:TARGET")


def test_a_missing_attribute_gets_the_nearest_match(module: Path) -> None:
    module.write_text("ENGINE = 1\n")
    with pytest.raises(UsageError, match="Did you mean 'ENGINE'"):
        registry.find("own_target:ENGIN")


def test_an_object_that_is_no_target_is_refused_by_type(module: Path) -> None:
    module.write_text("ENGINE = 1\n")
    with pytest.raises(UsageError, match="is a int, not a target"):
        registry.find("own_target:ENGINE")


def test_a_listing_names_the_install_command_of_a_missing_library() -> None:
    listing = registry.Listing("x", "", "m:a", {"no_such_module_here": "pip install it"})
    assert listing.missing() == ("pip install it",)


def test_an_unknown_knob_gets_the_nearest_match() -> None:
    with pytest.raises(UsageError, match=r"Unknown knob 'blocksize'\. Did you mean 'block_size'"):
        registry.check_knobs(TARGET, {"blocksize": 4})


def test_a_knob_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(UsageError, match="must be of type int"):
        registry.check_knobs(TARGET, {"block_size": "4"})


def test_missing_knobs_get_their_default() -> None:
    assert registry.check_knobs(TARGET, {}) == {"block_size": 4}


def test_an_unknown_device_names_those_offered() -> None:
    with pytest.raises(UsageError, match=r"Unknown device 'cuda'\..*Known: cpu\."):
        check_device("cuda", ("cpu",), "reference")


def test_a_device_without_index_means_the_first() -> None:
    assert check_device("cuda", ("cpu", "cuda:0"), "reference") == "cuda:0"


def test_a_module_in_src_layout_is_found_without_being_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "lies_in_src.py").write_text("from targets.scripted import TARGET\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert registry.find("lies_in_src:TARGET").name == "scripted"
