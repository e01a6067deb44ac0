from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fuzz.contain.outcome import Fate, Outcome
from fuzz.findings import store
from fuzz.findings.model import FORMAT, Confirmation, Finding
from targets.errors import UsageError

FINDING = Finding(
    id="0123456789ab",
    title="t",
    signature="P1/x",
    target="t",
    device="cpu",
    dtype="float32",
    codes=("P1",),
    case=msgspec.Raw(b'{"type":"trace","arrivals":[]}'),
    original=msgspec.Raw(b'{"type":"trace","arrivals":[]}'),
    outcome=Outcome(fate=Fate.COMPLETED),
    confirmation=Confirmation(attempts=3, repeated=3),
)


def test_a_stored_finding_is_found_by_a_prefix_of_its_id(tmp_path: Path) -> None:
    store.write(tmp_path, FINDING)
    assert store.find(tmp_path, "0123").signature == "P1/x"


def test_an_unknown_id_is_refused_with_those_there_are(tmp_path: Path) -> None:
    store.write(tmp_path, FINDING)
    with pytest.raises(UsageError, match="Known: 0123456789ab"):
        store.find(tmp_path, "ffff")


def test_a_damaged_file_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    store.write(tmp_path, FINDING)
    (tmp_path / "bad.json").write_text("{")
    findings, damaged = store.read_all(tmp_path)
    assert [finding.id for finding in findings] == [FINDING.id]
    assert [item.path.name for item in damaged] == ["bad.json"]


def test_a_finding_of_a_newer_format_is_refused_and_never_overwritten(tmp_path: Path) -> None:
    newer = tmp_path / f"{FINDING.id}.json"
    newer.write_text(f'{{"format": {FORMAT + 1}, "colour": "red"}}')
    found = store.read(newer)
    assert isinstance(found, store.Damaged)
    assert "newer" in found.reason
    assert store.write(tmp_path, FINDING) != newer
    assert "red" in newer.read_text()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UsageError, match="cannot be stored in"):
        store.write(blocked / "findings", FINDING)
