"""The list of explained survivors: found by function and changed lines, and stale when nothing answers to an entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.gaps.mutation.explained import Entry, changed_lines, explain, read, stale
from fuzz.gaps.mutation.model import Bucket, Mutant
from fuzz.gaps.mutation.score import score
from targets.errors import UsageError

DIFF = """--- p/a.py
+++ p/a.py
@@ -1,3 +1,3 @@
 def f():
-    raise ValueError("no")
+    raise ValueError(None)
"""
LIST = '''
[[explained]]
path = "p/a.py"
function = "f"
reason = "The message is not part of the contract."
changes = [
    """
-raise ValueError("no")
+raise ValueError(None)
""",
]
'''


def survivor(diff: str = DIFF, number: int = 1) -> Mutant:
    name = f"p.a.x_f__mutmut_{number}"
    return Mutant(name=name, path="p/a.py", function="f", tier="critical", bucket=Bucket.SURVIVED, diff=diff)


@pytest.fixture
def entries(tmp_path: Path) -> tuple[Entry, ...]:
    path = tmp_path / "t.survivors.toml"
    path.write_text(LIST)
    return read(path)


def test_a_survivor_is_found_by_its_changed_lines_whatever_their_indentation(entries: tuple[Entry, ...]) -> None:
    (known,) = explain([survivor()], entries)
    assert known.explained == "The message is not part of the contract."
    (other,) = explain([survivor(DIFF.replace("None", "'yes'"))], entries)
    assert not other.explained


def test_the_score_is_raw_and_explained_survivors_are_set_apart(entries: tuple[Entry, ...]) -> None:
    killed = [Mutant(name=f"k{n}", path="p/a.py", function="g", tier="c", bucket=Bucket.KILLED) for n in range(3)]
    found = score("p/a.py", [*killed, *explain([survivor()], entries)])
    assert (found.score, found.explained, found.apart) == (0.75, 1, 1.0)


def test_an_entry_that_no_survivor_answers_to_is_stale(entries: tuple[Entry, ...]) -> None:
    assert not stale([survivor()], entries, ["p/a.py"])
    (line,) = stale([], entries, ["p/a.py"])
    assert 'f in p/a.py: - raise ValueError("no") / + raise ValueError(None)' in line


def test_a_module_that_was_not_looked_at_makes_no_entry_stale(entries: tuple[Entry, ...]) -> None:
    assert not stale([], entries, ["p/b.py"])


def test_without_a_list_nothing_is_explained(tmp_path: Path) -> None:
    assert read(tmp_path / "none.toml") == ()


@pytest.mark.parametrize(
    "text",
    ["[[explained]", '[[explained]]\npath = "p"', LIST.replace("The message is not part of the contract.", " ")],
    ids=["no TOML", "fields missing", "no reason"],
)
def test_a_list_that_cannot_be_read_names_its_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.survivors.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"t\.survivors\.toml"):
        read(path)


def test_the_header_of_a_diff_is_no_change() -> None:
    assert changed_lines(DIFF) == '- raise ValueError("no")\n+ raise ValueError(None)'
