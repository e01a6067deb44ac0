"""`inferfuzz gaps` on somebody else's package in src/ layout."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from fuzz.commands.gaps import command
from fuzz.configuration import Configuration, load
from fuzz.corpus.store import load as load_corpus
from fuzz.corpus.store import shipped_seeds
from fuzz.gaps.baseline import accept, baseline_path, read
from fuzz.gaps.cases import strategy_of
from fuzz.gaps.collect import Journal, collect
from fuzz.gaps.model import ReplayPlan
from fuzz.gaps.run import GapsPlan, find_gaps
from targets.errors import UsageError

ENGINE = "src/tinyengine/engine.py"
REFUSAL = '            raise RequestRejected("id", request.id, "an id that is not in use")'


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(arguments), standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return int(result.return_value), str(result.stdout)


def quiet(_done: int, _total: int) -> None:
    """For runs that nobody watches."""


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def gaps_of(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {gap["function"]: gap for gap in answer["gaps"]}


def test_gaps_are_listed_by_function_with_kind_tier_and_who_comes_nearest(project: Path) -> None:
    code, shown = invoke("--format", "json", "--html", "pages")
    answer = json.loads(shown)
    found = gaps_of(answer)
    assert code == 1
    assert set(found) == {"pick_device", "Engine.submit"}
    assert (found["pick_device"]["kind"], found["Engine.submit"]["kind"]) == ("whole function", "error path")
    assert found["Engine.submit"]["tier"] == "critical"
    assert found["Engine.submit"]["path"] == ENGINE
    assert found["Engine.submit"]["nearest"]["properties"]
    assert found["Engine.submit"]["nearest"]["strategies"]
    page = (project / "pages" / "index.html").read_text()
    assert ENGINE in page
    linked = page.split('href="lines/')[-1].split("#")[0]
    assert (project / "pages" / "lines" / linked).is_file()


def test_chosen_cases_of_one_tier_are_compared_with_that_tier_only(project: Path) -> None:
    plan = GapsPlan("tinyengine.target:TARGET", project, load(project))
    whole = find_gaps(plan, quiet)
    whole.discard()
    accept(baseline_path(project / "corpus" / "gaps", plan.target), whole.report)
    part = dataclasses.replace(plan, tiers=("utility",), cases=("seed long-*",))
    report = find_gaps(part, quiet).report
    assert report.cases == 1
    assert report.changes is not None
    assert {gap.tier for gap in whole.report.gaps} == {"critical"}
    assert not report.changes.closed


def test_a_case_that_does_not_exist_is_named_with_some_that_do(project: Path) -> None:
    with pytest.raises(UsageError, match=r"'seed nothing'.*such as 'seed [a-z]"):
        invoke("--case", "seed nothing")


@pytest.mark.parametrize("damaged", ['{"format": 9}', '{"form'])
def test_a_baseline_that_cannot_be_read_is_replaced_by_accepting_another(project: Path, damaged: str) -> None:
    path = baseline_path(project / "corpus" / "gaps", "tinyengine.target:TARGET")
    path.parent.mkdir(parents=True)
    path.write_text(damaged)
    with pytest.raises(UsageError, match="--accept"):
        invoke()
    code, shown = invoke("--accept", "--format", "json")
    assert code == 0
    assert str(path) in str(json.loads(shown)["notes"])
    assert read(path) is not None


def test_a_tier_without_modules_says_where_to_name_them(project: Path) -> None:
    edit(project / "pyproject.toml", "tinyengine/engine.py", "tinyengine/engin.py")
    with pytest.raises(UsageError, match=r"tiers\.critical\], as paths = .*'tinyengine/engin.py' matches no"):
        invoke("--tier", "critical")


def test_part_of_the_cases_is_no_baseline(project: Path) -> None:
    with pytest.raises(UsageError, match="leave --case out"):
        invoke("--case", "seed long-*", "--accept")


@pytest.mark.slow
def test_a_baseline_shows_what_opened_and_what_moved(project: Path) -> None:
    assert invoke("--accept")[0] == 0
    edit(
        project / ENGINE,
        "class Engine:",
        "def unused() -> int:\n    return 3\n\n\nclass Engine:",
    )
    code, shown = invoke("--format", "json")
    answer = json.loads(shown)
    assert code == 1
    assert [gap["function"] for gap in answer["changes"]["opened"]] == ["unused"]
    assert [after["function"] for _, after in answer["changes"]["moved"]] == ["Engine.submit"]
    assert any("fell from" in reason for tier in answer["tiers"] for reason in tier["reasons"])


@pytest.mark.slow
def test_a_case_that_ends_the_process_is_named_and_the_others_count(project: Path) -> None:
    edit(
        project / ENGINE,
        "        self.running[request.id] = (request, [])",
        "        if len(self.running) == 3:\n            import os\n\n            os.abort()\n"
        "        self.running[request.id] = (request, [])",
    )
    plan = GapsPlan(target="tinyengine.target:TARGET", root=project, configuration=Configuration(), generated=0)
    result = find_gaps(plan, quiet)
    assert not result.report.complete
    assert any("SIGABRT" in note for note in result.report.notes)
    assert result.report.cases > 10


@pytest.mark.slow
def test_an_interrupted_replay_is_taken_up_where_it_ended(project: Path) -> None:
    plan = GapsPlan(target="tinyengine.target:TARGET", root=project, configuration=load(project))
    first = find_gaps(plan, quiet)
    again = find_gaps(plan, quiet)
    assert again.report.gaps == first.report.gaps
    assert any("earlier run" in note for note in again.report.notes)


@pytest.mark.slow
def test_the_loss_of_a_strategy_or_a_property_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = GapsPlan(target="tinyengine.target:TARGET", root=project, configuration=load(project))
    whole = find_gaps(plan, quiet)
    whole.discard()
    once = msgspec.structs.replace(whole.report, properties=(*whole.report.properties, "P99"))
    accept(baseline_path(project / "corpus" / "gaps", plan.target), once)
    seeds = project / "seeds"
    seeds.mkdir()
    for stored in load_corpus(shipped_seeds()).entries:
        if strategy_of(stored.case) != "strategies.schedule":
            shutil.copy(stored.path, seeds)
    monkeypatch.setattr("fuzz.corpus.store.shipped_seeds", lambda: seeds)
    report = find_gaps(plan, quiet).report
    assert any("strategies.schedule" in note for note in report.notes)
    assert any("property P99" in note for note in report.notes)


def test_a_changed_source_is_measured_anew(project: Path) -> None:
    folder = project / "work"
    source = project / "a.py"
    source.write_text("x = 1\n")
    folder.mkdir()
    (folder / "journal.json").write_bytes(b'{"fingerprint": "of other sources", "done": ["seed a"]}')
    (folder / "data.stale").write_bytes(b"")
    plan = ReplayPlan(target="t", device="cpu", dtype="float32", files=(str(source),), data="", cases=())
    collected = collect(plan, folder, 5.0, quiet)
    assert collected.journal == Journal(fingerprint=collected.journal.fingerprint)
    assert collected.files == ()


def test_a_target_that_does_not_load_is_the_users_mistake(project: Path) -> None:
    edit(project / "src/tinyengine/target.py", "lambda _device, _dtype: None", "lambda _device, _dtype: 1 / 0")
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        invoke()


def test_a_package_that_fails_to_import_is_the_users_mistake(project: Path) -> None:
    (project / ENGINE).write_text("import nothing_of_this_name\n")
    with pytest.raises(UsageError, match="nothing_of_this_name"):
        invoke()


def test_modules_that_run_in_another_process_are_no_silent_gap(project: Path) -> None:
    (project / "src" / "elsewhere.py").write_text("x = 1\n")
    edit(project / "src/tinyengine/target.py", 'modules=("tinyengine",)', 'modules=("elsewhere",)')
    report = find_gaps(
        GapsPlan("tinyengine.target:TARGET", project, load(project), cases=("seed long-*",)), quiet
    ).report
    assert any("in a process of its own, which is not measured" in note for note in report.notes)


def test_a_server_by_its_command_says_that_it_cannot_be_measured(project: Path) -> None:
    with pytest.raises(UsageError, match="is a server in a process of its own"):
        invoke("openai+cmd:true {port}")


def test_a_target_without_modules_is_told_to_name_them(project: Path) -> None:
    edit(project / "src/tinyengine/target.py", 'modules=("tinyengine",)', "modules=()")
    with pytest.raises(UsageError, match=r"Target\(modules="):
        invoke()


@pytest.mark.slow
def test_annotations_are_workflow_commands(project: Path) -> None:
    _, shown = invoke("--format", "annotations")
    line = (project / ENGINE).read_text().splitlines().index(REFUSAL) + 1
    assert f"::warning file={ENGINE},line={line}" in shown
