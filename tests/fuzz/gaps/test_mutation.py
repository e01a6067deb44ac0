"""Mutation testing: staging, what is judged again, and a whole run on somebody else's package."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from fuzz.commands.mutate import command
from fuzz.configuration import load
from fuzz.gaps.baseline import baseline_path
from fuzz.gaps.model import ReplayCase, ReplayPlan
from fuzz.gaps.mutation import noticed
from fuzz.gaps.mutation.model import NOTICED, Bucket, FunctionRecord, Mutant, MutationReport, bucket_of
from fuzz.gaps.mutation.mutate import MutatePlan, accept, read_baseline, spread
from fuzz.gaps.mutation.noticed import Notice
from fuzz.gaps.mutation.run import environment, nearest, read_mutants, records
from fuzz.gaps.mutation.sample import draw
from fuzz.gaps.mutation.score import by_module
from fuzz.gaps.mutation.stage import judging, stage
from fuzz.judge import Setup
from targets.contract import TargetKind
from targets.errors import UsageError


def report(bucket: Bucket) -> MutationReport:
    mutant = Mutant(name="a.x_f__mutmut_1", path="a.py", function="f", tier="critical", bucket=bucket)
    modules = by_module((mutant,))
    return MutationReport(
        target="t", made="", seconds=1.0, versions={}, cases=1, modules=modules, tiers=(), survivors=()
    )


def staged(
    folder: Path,
    modules: tuple[str, ...] = ("tinyengine/engine.py",),
    codes: tuple[str, ...] = ("P4",),
    cases: tuple[str, ...] = (),
    quick: bool = False,
) -> None:
    given = tuple(case(*name.split("=")) for name in cases)
    plan = ReplayPlan(target="t", device="cpu", dtype="float32", files=(), data="", cases=given)
    stage(folder, ("tinyengine",), modules, plan, Setup(target="t", codes=codes), quick=quick)


def case(name: str, content: str = "{}") -> ReplayCase:
    return ReplayCase(name=name, strategy="", case=msgspec.Raw(content.encode()))


def test_regressions_always_stay_and_seeds_come_before_what_a_campaign_found() -> None:
    found = [case("corpus x"), case("corpus y")]
    cases = [*(case(f"seed {number}") for number in range(10)), *found, case("regression a")]
    assert [one.name for one in spread(cases, 3)] == ["seed 0", "seed 5", "regression a"]
    assert [one.name for one in spread(cases, 12)][-2:] == ["corpus x", "regression a"]
    assert [one.name for one in spread(cases, 100)] == [one.name for one in cases]


def test_a_src_layout_is_staged_flat_and_what_is_equal_is_left_alone(project: Path) -> None:
    folder = project / "scratch"
    staged(folder)
    copy = folder / "tinyengine" / "engine.py"
    before = copy.stat().st_mtime_ns
    (folder / "tinyengine" / "gone.py").write_text("")
    staged(folder)
    assert copy.read_bytes() == (project / "src" / "tinyengine" / "engine.py").read_bytes()
    assert copy.stat().st_mtime_ns == before
    assert not (folder / "tinyengine" / "gone.py").exists()


def test_the_copy_has_pytest_settings_of_its_own(project: Path) -> None:
    """Else those of the project around it hold, which may name options of plugins that are not loaded."""
    staged(project / "scratch")
    settings = tomllib.loads((project / "scratch" / "pyproject.toml").read_text())
    assert settings["tool"]["pytest"] == {"ini_options": {"addopts": ""}}


@pytest.fixture
def fates(project: Path) -> Callable[[dict[str, int] | None], dict[str, int | None]]:
    """Writes what mutmut keeps about mutants, or reads it."""
    meta = project / "scratch" / "mutants" / "tinyengine" / "engine.py.meta"

    def access(written: dict[str, int] | None = None) -> dict[str, int | None]:
        if written is not None:
            meta.parent.mkdir(parents=True, exist_ok=True)
            meta.write_text(json.dumps({"exit_code_by_key": written}))
        found: dict[str, int | None] = json.loads(meta.read_text())["exit_code_by_key"]
        return found

    return access


def test_nothing_is_tested_again_while_the_tests_stay(project: Path, fates: Callable[..., dict[str, int]]) -> None:
    staged(project / "scratch")
    before = fates({"killed": 1, "survived": 0, "no test": 33})
    staged(project / "scratch")
    assert fates() == before


def test_another_property_tests_again_what_nobody_noticed(project: Path, fates: Callable[..., dict[str, int]]) -> None:
    folder = project / "scratch"
    staged(folder, codes=("P4",), cases=("a",))
    fates({"killed": 1, "survived": 0, "no test": 33})
    noticed.note(folder, Notice("killed", "a", ("P4",)))
    staged(folder, codes=("P4", "P6"), cases=("a",))
    assert fates() == {"killed": 1, "survived": None, "no test": None}


def test_a_property_or_a_case_that_went_tests_again_what_it_noticed(
    project: Path, fates: Callable[..., dict[str, int]]
) -> None:
    folder = project / "scratch"
    staged(folder, codes=("P4", "P6"), cases=("a", "b", "c"))
    fates({"one": 1, "two": 1, "three": 1})
    for notice in (Notice("one", "a", ("P4",)), Notice("two", "a", ("P4", "P6")), Notice("three", "b", ("P6",))):
        noticed.note(folder, notice)
    staged(folder, codes=("P6",), cases=("a", "c"))
    assert fates() == {"one": None, "two": 1, "three": None}


def test_a_case_that_was_changed_tests_again_what_it_noticed(
    project: Path, fates: Callable[..., dict[str, int]]
) -> None:
    folder = project / "scratch"
    staged(folder, cases=("a=1", "b=1"))
    fates({"one": 1, "two": 1})
    for notice in (Notice("one", "a", ("P4",)), Notice("two", "b", ("P4",))):
        noticed.note(folder, notice)
    staged(folder, cases=("a=2", "b=1"))
    assert fates() == {"one": None, "two": 1}


def test_what_a_quick_search_did_not_notice_is_tested_again_by_a_complete_one(
    project: Path, fates: Callable[..., dict[str, int]]
) -> None:
    folder = project / "scratch"
    staged(folder, cases=("a",), quick=True)
    fates({"killed": 1, "survived": 0})
    noticed.note(folder, Notice("killed", "a", ("P4",)))
    staged(folder, cases=("a",))
    assert fates() == {"killed": 1, "survived": None}


def test_changed_properties_test_everything_again(
    project: Path, fates: Callable[..., dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project / "scratch"
    staged(folder, cases=("a",))
    fates({"killed": 1})
    noticed.note(folder, Notice("killed", "a", ("P4",)))
    monkeypatch.setattr("fuzz.gaps.mutation.stage._sources", lambda _kind: "another")
    staged(folder, cases=("a",))
    assert fates() == {"killed": None}


@pytest.mark.parametrize(
    ("module", "concerned"),
    [
        ("fuzz.properties.executors.caching", {TargetKind.EXECUTOR}),
        ("fuzz.lab.relation", {TargetKind.EXECUTOR}),
        ("fuzz.properties.servers.streams", {TargetKind.HTTP}),
        ("fuzz.lab.server_answers", {TargetKind.HTTP}),
        ("fuzz.properties.graphs.routing", {TargetKind.GRAPH}),
        ("fuzz.properties.registry", {*TargetKind}),
        ("fuzz.judge", {*TargetKind}),
    ],
)
def test_a_changed_source_concerns_the_kinds_of_targets_that_it_judges(module: str, concerned: set[TargetKind]) -> None:
    assert {kind for kind in TargetKind if module in {source.name for source in judging(kind)}} == concerned


def test_what_each_case_executes_is_found_out_again_when_the_target_changed(project: Path) -> None:
    staged(project / "scratch")
    statistics = project / "scratch" / "mutants" / "mutmut-stats.json"
    statistics.parent.mkdir(parents=True)
    statistics.write_text("{}")
    staged(project / "scratch")
    assert statistics.exists()
    edit(project / "src" / "tinyengine" / "engine.py", "def ", "def another() -> None: ...\n\n\ndef ")
    staged(project / "scratch")
    assert not statistics.exists()


def test_a_module_that_was_only_copied_so_far_is_mutated_when_asked_for(project: Path) -> None:
    folder = project / "scratch" / "mutants" / "tinyengine"
    folder.mkdir(parents=True)
    (folder / "engine.py").write_text("@_mutmut_mutated(f__mutmut)")
    (folder / "cache.py").write_text("")
    staged(project / "scratch", modules=("tinyengine/engine.py", "tinyengine/cache.py"))
    assert (folder / "engine.py").exists()
    assert not (folder / "cache.py").exists()


def test_mutants_are_read_with_function_and_nearest_property(tmp_path: Path) -> None:
    folder = tmp_path / "mutants" / "p"
    folder.mkdir(parents=True)
    codes = {"p.a.x_f__mutmut_1": 36, "p.a.xǁEngineǁstep__mutmut_2": 1, "p.a.xǁEngineǁstep__mutmut_3": 1}
    (folder / "a.py.meta").write_text(json.dumps({"exit_code_by_key": codes, "hash_by_function_name": {}}))
    first, second, _ = read_mutants(tmp_path, {"p/a.py": "critical"})
    assert (first.function, first.bucket, second.function) == ("f", Bucket.TIMEOUT, "Engine.step")


def test_nearest_are_the_properties_that_noticed_most_in_the_function_or_else_in_the_module() -> None:
    notices = [
        Notice("p.a.x_f__mutmut_1", "one", ("P3",)),
        Notice("p.a.x_f__mutmut_2", "one", ("P4", "P6")),
        Notice("p.a.x_f__mutmut_3", "two", ("P6",)),
        Notice("p.a.x_g__mutmut_1", "two", ("P1",)),
    ]
    near = nearest(notices)
    assert near("p.a.x_f__mutmut_9")[0] == "P6"
    assert near("p.a.x_h__mutmut_1")[0] == "P6"
    assert near("p.b.x_f__mutmut_1") == ()


def test_functions_are_recorded_with_the_case_that_noticed_each_mutant(tmp_path: Path) -> None:
    meta = tmp_path / "mutants" / "p" / "a.py.meta"
    meta.parent.mkdir(parents=True)
    codes = {"p.a.x_f__mutmut_1": 1, "p.a.x_f__mutmut_2": 1, "p.a.x_f__mutmut_3": 0, "p.a.x_f__mutmut_4": 36}
    meta.write_text(json.dumps({"exit_code_by_key": codes, "hash_by_function_name": {"x_f": "abc"}}))
    for number, seen in ((1, "one"), (2, "one"), (4, "two")):
        noticed.note(tmp_path, Notice(f"p.a.x_f__mutmut_{number}", seen))
    (record,) = records(tmp_path, ["p/a.py"])
    assert record == FunctionRecord(name="p.a.x_f", path="p/a.py", digest="abc", noticed={"one": "1 2"})
    drawn = draw([record], 5, 0)
    assert {notice.mutant for _, notice in drawn} == {"p.a.x_f__mutmut_1", "p.a.x_f__mutmut_2"}


def test_an_unfinished_run_does_not_become_the_baseline(tmp_path: Path) -> None:
    plan = MutatePlan(target="t", root=tmp_path, configuration=load(tmp_path))
    path = accept(plan, report(Bucket.KILLED))
    with pytest.raises(UsageError, match="not checked"):
        accept(plan, report(Bucket.UNCHECKED))
    assert read_baseline(path) == report(Bucket.KILLED)


def test_a_damaged_baseline_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "t.mutation.json"
    path.write_text("{")
    with pytest.raises(UsageError, match="--accept"):
        read_baseline(path)


def test_a_damaged_baseline_is_refused_before_anything_is_mutated(project: Path) -> None:
    baseline(project).write_text("{")
    with pytest.raises(UsageError, match="--accept"):
        invoke()
    assert not (project / ".inferfuzz" / "mutation").exists()


def baseline(project: Path) -> Path:
    path = baseline_path(project / "corpus" / "gaps", "tinyengine.target:TARGET").with_suffix(".mutation.json")
    path.parent.mkdir(parents=True)
    return path


def invoke(*arguments: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(command, [*arguments, "--format", "json"], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return int(result.return_value), json.loads(result.stdout)


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_whole_run_names_survivors_leaves_the_original_alone_and_goes_on_from_the_last(project: Path) -> None:
    engine = project / "src" / "tinyengine" / "engine.py"
    before = engine.read_bytes()
    code, first = invoke("--children", "1", "--cases", "8")
    assert engine.read_bytes() == before
    assert code == 1
    buckets = first["tiers"][0]["buckets"]
    assert buckets["killed"] > 40
    assert buckets["no test"] == 4
    survivor = next(one for one in first["survivors"] if one["function"] == "next_token")
    assert survivor["nearest"]
    assert "+    return" in survivor["diff"]
    # One function changes, and none of the others is tested again: a fate that we put there stays.
    (meta,) = project.glob(".inferfuzz/mutation/*/mutants/tinyengine/engine.py.meta")
    kept = json.loads(meta.read_text())
    kept["exit_code_by_key"]["tinyengine.engine.x_next_token__mutmut_1"] = 35
    meta.write_text(json.dumps(kept))
    edit(engine, "        self.running.clear()", "        self.running.clear()\n        self.aborted.clear()")
    _, second = invoke("--children", "1", "--cases", "8")
    assert second["tiers"][0]["buckets"]["suspicious"] == 1
    assert "not checked" not in second["tiers"][0]["buckets"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_sample_of_the_baseline_is_noticed_again_and_leaves_out_what_changed(project: Path) -> None:
    baseline(project).write_text("{")
    _, accepted = invoke("--cases", "8", "--accept")
    assert any("replaced without a comparison" in note for note in accepted["notes"])
    code, drawn = invoke("--cases", "8", "--sample", "6", "--seed", "3")
    assert code == 0
    assert drawn["tiers"][0]["buckets"] == {"killed": 6}
    # A function that changed can tell nothing about the tests.
    engine = project / "src" / "tinyengine" / "engine.py"
    edit(engine, "len(tokens) == request", "not len(tokens) != request")
    code, drawn = invoke("--cases", "8", "--sample", "400")
    assert code == 0
    assert any("changed since the baseline" in note for note in drawn["notes"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_verdicts_are_those_of_plain_mutmut_on_the_same_tests(project: Path) -> None:
    invoke("--cases", "8")
    (scratch,) = (project / ".inferfuzz" / "mutation").iterdir()
    (meta,) = scratch.glob("mutants/tinyengine/engine.py.meta")
    ours = json.loads(meta.read_text())["exit_code_by_key"]
    shutil.rmtree(scratch / "mutants")
    subprocess.run([sys.executable, "-m", "mutmut", "run"], cwd=scratch, env=environment(), check=True)
    plain = json.loads(meta.read_text())["exit_code_by_key"]
    assert {name: bucket_of(code) in NOTICED for name, code in ours.items()} == {
        name: bucket_of(code) in NOTICED for name, code in plain.items()
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_package_that_violates_a_property_cannot_be_mutation_tested(project: Path) -> None:
    edit(project / "src" / "tinyengine" / "engine.py", "len(tokens) == request", "len(tokens) == 1 + request")
    with pytest.raises(UsageError, match="cannot be tested"):
        invoke("--children", "1", "--cases", "8")


def test_a_tier_without_modules_is_the_users_mistake(project: Path) -> None:
    with pytest.raises(UsageError, match="in tier tests"):
        invoke("--tier", "tests")
