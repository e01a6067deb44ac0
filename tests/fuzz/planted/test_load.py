from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.planted.edit import Edit, EditError
from fuzz.planted.load import load_bugs, select, shipped_files
from targets.errors import UsageError

ENTRY = """
[[bug]]
id = "one"
group = "CACHE"
target = "reference-hash"
module = "targets.reference.memory.blocks"
before = "x = 1"
after = "x = 2"
derived = ["CACHE-01"]
trigger = "always"
properties = ["P1"]
[bug.trace]
arrivals = [{ request = { id = "a", prompt = [40], sampling = { logit_bias = { "60" = 1.0 } } } }]
"""


def write(folder: Path, text: str, name: str = "bugs.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_an_entry_holds_its_witness_as_a_trace(tmp_path: Path) -> None:
    (bug,) = load_bugs([write(tmp_path, ENTRY)])

    assert bug.trace is not None
    assert bug.trace.arrivals[0].request.sampling.logit_bias == {60: 1.0}


def test_an_entry_that_does_not_fit_is_named_with_its_file(tmp_path: Path) -> None:
    path = write(tmp_path, ENTRY.replace('"CACHE"', '"CACHES"'))

    with pytest.raises(UsageError, match=r"bugs\.toml, entry 1 \(one\).*CACHES"):
        load_bugs([path])


def test_an_entry_without_a_witness_is_refused(tmp_path: Path) -> None:
    text = ENTRY[: ENTRY.index("[bug.trace]")]

    with pytest.raises(UsageError, match="needs one witness"):
        load_bugs([write(tmp_path, text)])


def test_an_id_that_occurs_twice_is_named_with_both_files(tmp_path: Path) -> None:
    files = [write(tmp_path, ENTRY, "first.toml"), write(tmp_path, ENTRY, "second.toml")]

    with pytest.raises(UsageError, match=r"'one' occurs in .*first\.toml and in .*second\.toml"):
        load_bugs(files)


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml cannot be read"):
        load_bugs([tmp_path / "none.toml"])
    with pytest.raises(UsageError, match=r"bad\.toml is not TOML"):
        load_bugs([write(tmp_path, "[[bug]", "bad.toml")])


def test_bugs_are_selected_by_id(tmp_path: Path) -> None:
    bugs = load_bugs([write(tmp_path, ENTRY)])

    assert select(bugs, ["one"]) == select(bugs, []) == bugs
    with pytest.raises(UsageError, match="No bug is called 'two'"):
        select(bugs, ["two"])


def test_a_bug_with_a_wrong_id_is_answered_by_the_nearest_and_some_of_its_group() -> None:
    with pytest.raises(
        UsageError, match=r"Did you mean 'http-no-done'\? Known: http-nan-passes, .* and \d+ more"
    ) as shown:
        select(load_bugs(shipped_files()), ["http-not-done"])
    assert "cache-" not in str(shown.value)


def test_an_edit_needs_its_text_exactly_once() -> None:
    edit = Edit(module="m", before="x = 1", after="x = 2")

    assert edit.apply("a\nx = 1\n") == "a\nx = 2\n"
    assert edit.line("a\nx = 1\n") == 2
    with pytest.raises(EditError, match="occurs 0 times in m"):
        edit.apply("y")
    with pytest.raises(EditError, match="occurs 2 times in m"):
        edit.apply("x = 1\nx = 1")
