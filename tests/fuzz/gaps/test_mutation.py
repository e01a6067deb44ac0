"""Mutation testing: buckets, score, staging, and a whole run on somebody else's package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from fuzz.commands.mutate import command
from fuzz.configuration import Tier, load
from fuzz.gaps.model import ReplayCase, ReplayPlan
from fuzz.gaps.mutation.model import Bucket, Mutant, MutationReport, bucket_of
from fuzz.gaps.mutation.mutate import MutatePlan, accept, read_baseline, spread
from fuzz.gaps.mutation.run import read_mutants
from fuzz.gaps.mutation.score import by_module, objections, score
from fuzz.gaps.mutation.stage import stage
from targets.errors import UsageError


def mutant(bucket: Bucket, number: int = 1, path: str = "a.py", tier: str = "critical") -> Mutant:
    return Mutant(name=f"a.x_f__mutmut_{number}", path=path, function="f", tier=tier, bucket=bucket)


def report(*mutants: Mutant) -> MutationReport:
    return MutationReport(
        target="t", made="", seconds=1.0, versions={}, cases=1, modules=by_module(mutants), tiers=(), survivors=()
    )


def case(name: str) -> ReplayCase:
    return ReplayCase(name=name, strategy="", case=msgspec.Raw(b"{}"))


@pytest.mark.parametrize(
    ("code", "bucket"),
    [
        (None, Bucket.UNCHECKED),
        (0, Bucket.SURVIVED),
        (1, Bucket.KILLED),
        (3, Bucket.KILLED),
        (33, Bucket.NO_TEST),
        (34, Bucket.SKIPPED),
        (36, Bucket.TIMEOUT),
        (-9, Bucket.SUSPICIOUS),
        (-11, Bucket.SUSPICIOUS),
        (99, Bucket.SUSPICIOUS),
    ],
)
def test_every_exit_code_has_its_bucket(code: int | None, bucket: Bucket) -> None:
    assert bucket_of(code) is bucket


def test_every_bucket_but_the_skipped_one_counts() -> None:
    found = score("a", [mutant(bucket) for bucket in Bucket])
    assert found.score == round(2 / 6, 4)
    assert found.buckets == {str(bucket): 1 for bucket in Bucket}


def test_a_run_that_tested_nothing_fails() -> None:
    assert "nothing was tested" in list(objections([mutant(Bucket.NO_TEST)], {}, None))
    assert "nothing was tested" in list(objections([], {}, None))


def test_a_mutant_that_was_not_checked_fails_the_run() -> None:
    (reason,) = objections([mutant(Bucket.KILLED, tier="core"), mutant(Bucket.UNCHECKED, tier="core")], {}, None)
    assert "1 mutants were not checked" in reason


def test_a_tier_below_its_minimum_fails() -> None:
    mutants = [mutant(Bucket.KILLED), mutant(Bucket.SURVIVED)]
    assert list(objections(mutants, {}, None)) == ["tier critical: score 0.50 is below 0.85"]
    assert not list(objections(mutants, {"critical": Tier(mutation=0.5)}, None))


def test_a_module_that_fell_below_the_baseline_fails() -> None:
    before = report(mutant(Bucket.KILLED))
    mutants = [mutant(Bucket.KILLED, tier="core"), mutant(Bucket.SURVIVED, 2, tier="core")]
    assert list(objections(mutants, {}, before)) == ["a.py: score fell from 1.0000 to 0.5000"]


def test_cases_are_spread_and_regressions_always_stay() -> None:
    cases = [*(case(f"seed {number}") for number in range(10)), case("regression a")]
    taken = [one.name for one in spread(cases, 3)]
    assert taken == ["seed 0", "seed 5", "regression a"]
    assert [one.name for one in spread(cases, 100)] == [one.name for one in cases]


def test_a_src_layout_is_staged_flat_and_what_is_equal_is_left_alone(project: Path) -> None:
    folder = project / "scratch"
    plan = ReplayPlan(target="t", device="cpu", dtype="float32", files=(), data="", cases=())
    stage(folder, ("tinyengine",), ("tinyengine/engine.py",), plan, ("P4",))
    copy = folder / "tinyengine" / "engine.py"
    before = copy.stat().st_mtime_ns
    (folder / "tinyengine" / "gone.py").write_text("")
    stage(folder, ("tinyengine",), ("tinyengine/engine.py",), plan, ("P4",))
    assert copy.read_bytes() == (project / "src" / "tinyengine" / "engine.py").read_bytes()
    assert copy.stat().st_mtime_ns == before
    assert not (folder / "tinyengine" / "gone.py").exists()


def test_stronger_tests_test_again_what_nobody_noticed(project: Path) -> None:
    folder = project / "scratch"
    meta = folder / "mutants" / "tinyengine" / "engine.py.meta"
    plan = ReplayPlan(target="t", device="cpu", dtype="float32", files=(), data="", cases=())
    stage(folder, ("tinyengine",), ("tinyengine/engine.py",), plan, ("P4",))
    meta.parent.mkdir(parents=True)
    fates = {"killed": 1, "survived": 0, "no test": 33}
    meta.write_text(json.dumps({"exit_code_by_key": fates}))
    stage(folder, ("tinyengine",), ("tinyengine/engine.py",), plan, ("P4",))
    assert json.loads(meta.read_text())["exit_code_by_key"] == fates
    stage(folder, ("tinyengine",), ("tinyengine/engine.py",), plan, ("P4", "P6"))
    assert json.loads(meta.read_text())["exit_code_by_key"] == {"killed": 1, "survived": None, "no test": None}


def test_mutants_are_read_with_function_and_nearest_property(tmp_path: Path) -> None:
    folder = tmp_path / "mutants" / "p"
    folder.mkdir(parents=True)
    codes = {"p.a.x_f__mutmut_1": 1, "p.a.xǁEngineǁstep__mutmut_2": 1}
    (folder / "a.py.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    tests = {
        "p.a.x_f": ["tests/t.py::t[P3]", "tests/t.py::t[observing]"],
        "p.a.xǁEngineǁstep": ["tests/t.py::t[observing]"],
    }
    (tmp_path / "mutants" / "mutmut-stats.json").write_text(json.dumps({"tests_by_mangled_function_name": tests}))
    first, second = read_mutants(tmp_path, {"p/a.py": "critical"})
    assert (first.function, first.nearest) == ("f", ("P3", "observing"))
    assert (second.function, second.nearest) == ("Engine.step", ("observing",))


def test_an_unfinished_run_does_not_become_the_baseline(tmp_path: Path) -> None:
    plan = MutatePlan(target="t", root=tmp_path, configuration=load(tmp_path))
    path = accept(plan, report(mutant(Bucket.KILLED)))
    with pytest.raises(UsageError, match="not checked"):
        accept(plan, report(mutant(Bucket.UNCHECKED)))
    assert read_baseline(path) == report(mutant(Bucket.KILLED))


def test_a_damaged_baseline_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "t.mutation.json"
    path.write_text("{")
    with pytest.raises(UsageError, match="--accept"):
        read_baseline(path)


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
def test_a_package_that_violates_a_property_cannot_be_mutation_tested(project: Path) -> None:
    edit(project / "src" / "tinyengine" / "engine.py", "len(tokens) == request", "len(tokens) == 1 + request")
    with pytest.raises(UsageError, match="cannot be tested"):
        invoke("--children", "1", "--cases", "8")


def test_a_tier_without_modules_is_the_users_mistake(project: Path) -> None:
    with pytest.raises(UsageError, match="of tier tests"):
        invoke("--tier", "tests")
