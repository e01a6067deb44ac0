from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec
import pytest

from fuzz.corpus import store
from fuzz.corpus.entry import FORMAT, CorpusEntry
from fuzz.corpus.store import CorpusError, Skipped, Stored
from targets.codec import content_hash
from targets.contract import Request
from targets.trace import Arrival, Trace


def trace(*prompt: int) -> Trace:
    return Trace(arrivals=(Arrival(request=Request(id="a", prompt=prompt)),))


def test_a_case_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    path = store.add(tmp_path, CorpusEntry.of(trace(1, 2), about="two tokens", sources=("VLLM-1",)))
    assert path is not None
    found = store.read(path)
    assert isinstance(found, Stored)
    assert found.case == trace(1, 2)
    assert (found.entry.about, found.entry.sources) == ("two tokens", ("VLLM-1",))


def test_a_file_is_named_by_the_content_of_its_case(tmp_path: Path) -> None:
    path = store.add(tmp_path, CorpusEntry.of(trace(1)))
    assert path == tmp_path / f"{content_hash(trace(1))}.json"


def test_a_case_that_is_there_already_keeps_its_story(tmp_path: Path) -> None:
    store.add(tmp_path, CorpusEntry.of(trace(1), about="the story"))
    assert store.add(tmp_path, CorpusEntry.of(trace(1))) is None
    assert [stored.entry.about for stored in store.load(tmp_path).entries] == ["the story"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"format": 1, "kind": "tra', "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b'{"format": 2, "kind": "dream", "dreams": []}', "format 2 is newer than 1"),
        (b'{"kind": "dream", "case": {}}', "kind 'dream' is unknown; allowed: trace, graph, http"),
        (b'{"kind": "trace", "case": {"type": "trace", "arrivals": 3}}', "field 'arrivals' = 3"),
        (b"[]", "a CorpusEntry"),
    ],
)
def test_a_file_that_cannot_be_read_is_reported_and_left_alone(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    store.add(tmp_path, CorpusEntry.of(trace(1)))
    loaded = store.load(tmp_path)
    assert [stored.case for stored in loaded.entries] == [trace(1)]
    assert [skipped.path for skipped in loaded.skipped] == [path]
    assert reason in loaded.skipped[0].reason
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_read_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / f"{content_hash(trace(1))}.json"
    newer = b'{"format": %d}' % (FORMAT + 1)
    path.write_bytes(newer)
    beside = store.add(tmp_path, CorpusEntry.of(trace(1)))
    assert beside is not None
    assert beside != path
    assert path.read_bytes() == newer
    assert isinstance(store.read(beside), Stored)


def test_a_full_disk_is_one_clear_message_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CorpusError, match=r"cannot be stored in .*: No space left on device"):
        store.add(tmp_path, CorpusEntry.of(trace(1)))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_clear_message(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(CorpusError, match="Not a directory"):
        store.add(file / "corpus", CorpusEntry.of(trace(1)))


def test_a_folder_that_does_not_exist_is_an_empty_corpus(tmp_path: Path) -> None:
    assert store.load(tmp_path / "none").entries == ()


def test_merging_adds_what_is_missing_and_reports_what_it_skips(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    store.add(one, CorpusEntry.of(trace(1)))
    store.add(two, CorpusEntry.of(trace(1)))
    store.add(two, CorpusEntry.of(trace(2)))
    (two / "bad.json").write_text("{")
    merged = store.merge(one, [two])
    assert (len(merged.added), merged.present) == (1, 1)
    assert [skipped.path.name for skipped in merged.skipped] == ["bad.json"]
    assert len(store.load(one).entries) == 2


def test_merging_from_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no corpus folder"):
        store.merge(tmp_path, [tmp_path / "typo"])


def test_only_cases_can_be_entries() -> None:
    with pytest.raises(TypeError, match="Request is no case"):
        CorpusEntry.of(Request(id="a", prompt=(1,)))


def test_a_skipped_file_says_which_and_why(tmp_path: Path) -> None:
    assert str(Skipped(tmp_path / "x.json", "reason")) == f"{tmp_path / 'x.json'} is skipped: reason"


def test_stored_files_are_for_people_too(tmp_path: Path) -> None:
    path = store.add(tmp_path, CorpusEntry.of(trace(1), about="story"))
    assert path is not None
    text = path.read_text()
    assert text.count("\n") > 5
    assert msgspec.json.decode(text)["format"] == FORMAT


def test_every_shipped_seed_can_be_read() -> None:
    loaded = store.load(store.shipped_seeds())
    assert loaded.skipped == ()
    assert all(stored.entry.told for stored in loaded.entries)
