"""`inferfuzz corpus`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fuzz.commands.corpus import command
from fuzz.corpus import store
from fuzz.corpus.entry import CorpusEntry
from targets.codec import encode
from targets.contract import Request
from targets.errors import UsageError
from targets.trace import Arrival, Trace


def trace(*prompt: int) -> Trace:
    return Trace(arrivals=(Arrival(request=Request(id="a", prompt=prompt)),))


def invoke(*arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


def test_listing_shows_each_case_and_its_story(tmp_path: Path) -> None:
    store.add(tmp_path, CorpusEntry.of(trace(1), about="one token", sources=("VLLM-1",)))
    output = invoke("list", tmp_path).stdout
    assert "one token [VLLM-1]" in output
    assert output.endswith("1 case\n")


def test_listing_as_json_is_data(tmp_path: Path) -> None:
    store.add(tmp_path, CorpusEntry.of(trace(1), about="one token"))
    rows = json.loads(invoke("list", tmp_path, "--format", "json").stdout)
    assert [(row["kind"], row["about"]) for row in rows] == [("trace", "one token")]


def test_listing_reports_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    result = invoke("list", tmp_path)
    assert "bad.json is skipped: not valid JSON" in result.stderr
    assert result.stdout == "0 cases\n"


def test_listing_without_a_folder_shows_what_campaigns_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store.add(tmp_path / ".inferfuzz" / "corpus" / "reference", CorpusEntry.of(trace(1)))
    assert invoke("list").stdout.endswith("1 case\n")


@pytest.mark.parametrize("form", ["bare", "entry", "finding"])
def test_a_case_is_added_from_any_file_that_holds_one(tmp_path: Path, form: str) -> None:
    case = json.loads(encode(trace(4, 2)))
    contents = {
        "bare": case,
        "entry": {"format": 1, "kind": "trace", "case": case},
        "finding": {"format": 1, "id": "ab12", "signature": "P1/x", "case": case, "original": case},
    }
    file = tmp_path / "file.json"
    file.write_text(json.dumps(contents[form]))
    invoke("add", tmp_path / "corpus", file, "--about", "a story", "--source", "X-1")
    (stored,) = store.load(tmp_path / "corpus").entries
    assert stored.case == trace(4, 2)
    assert (stored.entry.about, stored.entry.sources) == ("a story", ("X-1",))


def test_adding_twice_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "case.json"
    file.write_bytes(encode(trace(1)))
    invoke("add", tmp_path / "corpus", file)
    change = json.loads(invoke("add", tmp_path / "corpus", file, "--format", "json").stdout)
    assert (change["files"], change["unchanged"]) == ([], 1)


@pytest.mark.parametrize("content", ["{", "[]", '{"case": 3}', '{"type": "trace", "arrivals": 5}'])
def test_a_file_without_a_case_is_named_and_nothing_is_added(tmp_path: Path, content: str) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(encode(trace(1)))
    bad.write_text(content)
    with pytest.raises(UsageError, match=r"bad\.json holds no case"):
        invoke("add", tmp_path / "corpus", good, bad)
    assert not (tmp_path / "corpus").exists()


def test_merging_says_what_it_added(tmp_path: Path) -> None:
    store.add(tmp_path / "one", CorpusEntry.of(trace(1)))
    store.add(tmp_path / "two", CorpusEntry.of(trace(1)))
    store.add(tmp_path / "two", CorpusEntry.of(trace(2)))
    assert invoke("merge", tmp_path / "one", tmp_path / "two").stdout.endswith(
        f"1 added, 1 unchanged in {tmp_path / 'one'}\n"
    )


def test_minimizing_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no corpus folder"):
        invoke("minimize", tmp_path / "typo", "--target", "reference")
