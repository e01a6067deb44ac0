"""The accepted baseline: what opened, closed and moved, and files that cannot be trusted."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fuzz.gaps.baseline import accept, compare, read
from fuzz.gaps.model import Gap, GapKind, GapsReport
from targets.errors import UsageError


def gap(line: int, text: str = "raise", function: str = "f") -> Gap:
    return Gap(path="a.py", function=function, line=line, lines=(line,), kind=GapKind.ERROR, tier="core", text=text)


def report(*gaps: Gap, complete: bool = True) -> GapsReport:
    return GapsReport(
        target="t",
        device="cpu",
        made="2026-01-01",
        versions={},
        cases=1,
        properties=(),
        tiers=(),
        files=(),
        gaps=gaps,
        complete=complete,
    )


def test_accepting_one_tier_keeps_what_the_baseline_knows_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    critical, core = (msgspec.structs.replace(gap(1), tier=tier) for tier in ("critical", "core"))
    accept(path, report(critical, core))
    accept(path, msgspec.structs.replace(report(), only_tiers=("critical",)), read(path))
    kept = read(path)
    assert kept is not None
    assert (kept.gaps, kept.only_tiers) == ((core,), ())


def test_a_new_gap_has_opened_and_a_missing_one_has_closed() -> None:
    changes = compare([gap(1, "old")], [gap(1, "new")])
    assert [one.text for one in changes.opened] == ["new"]
    assert [one.text for one in changes.closed] == ["old"]


def test_a_gap_on_another_line_has_moved() -> None:
    changes = compare([gap(1)], [gap(9)])
    assert not changes.opened and not changes.closed
    assert [(before.line, after.line) for before, after in changes.moved] == [(1, 9)]


def test_a_gap_in_another_function_has_moved() -> None:
    assert compare([gap(1)], [gap(1, function="g")]).moved


def test_of_two_alike_gaps_the_one_that_stayed_is_not_taken_for_moved() -> None:
    changes = compare([gap(1), gap(5)], [gap(5)])
    assert not changes.moved
    assert [one.line for one in changes.closed] == [1]


def test_an_accepted_report_is_read_back(tmp_path: Path) -> None:
    accept(tmp_path / "folder" / "t.json", report(gap(1)))
    assert read(tmp_path / "folder" / "t.json") == report(gap(1))


def test_without_a_baseline_there_is_none(tmp_path: Path) -> None:
    assert read(tmp_path / "t.json") is None


def test_an_incomplete_report_does_not_replace_a_baseline(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    accept(path, report(gap(1)))
    with pytest.raises(UsageError, match="incomplete"):
        accept(path, report(complete=False))
    assert read(path) == report(gap(1))


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"format": 1}', b"\xff"])
def test_a_damaged_baseline_names_the_file_and_the_way_out(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"t\.json cannot be read.*--accept"):
        read(path)


def test_a_baseline_of_another_format_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(report(), format=99)))
    with pytest.raises(UsageError, match="format 99"):
        read(path)
