"""JUnit XML and SARIF of a check."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from fuzz.check.model import CheckReport, Conclusion, Problem, StepResult
from fuzz.reports.junit import junit_xml
from fuzz.reports.sarif import sarif

PROBLEMS = (
    Problem(rule="P13/tokens-differ", message="tokens differ\nat position 3 \x00 <&>"),
    Problem(rule="gap/guard", message="f is not exercised", path="src/a b.py", line=7, blocking=False),
    Problem(rule="gap/guard", message="g is not exercised", path="/elsewhere/c.py", line=9, blocking=False),
)


def report(*steps: StepResult) -> CheckReport:
    return CheckReport(
        profile="ci",
        targets=("t",),
        made="2026-01-02T03:04:05+00:00",
        seconds=1.5,
        versions={"inferfuzz": "0.1.0"},
        steps=steps,
    )


def step(conclusion: Conclusion, *problems: Problem) -> StepResult:
    return StepResult(step="gaps", target="t", conclusion=conclusion, summary="one line", problems=problems)


def test_a_failed_step_has_one_failing_test_case_for_each_blocking_problem() -> None:
    root = ET.fromstring(junit_xml(report(step(Conclusion.FAILED, *PROBLEMS))))
    (case,) = root.findall("testsuite/testcase")
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "tokens differ"
    assert failure.text == "tokens differ\nat position 3 ? <&>"
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("1", "1", "0")


def test_a_clean_step_is_one_passed_test_case() -> None:
    root = ET.fromstring(junit_xml(report(step(Conclusion.PASSED), step(Conclusion.SKIPPED))))
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("2", "0", "1")


def test_a_failed_step_without_problems_still_fails() -> None:
    root = ET.fromstring(junit_xml(report(step(Conclusion.INCONCLUSIVE))))
    assert root.get("errors") == "1"


def test_results_point_to_files_of_the_project_and_to_rules() -> None:
    (run,) = sarif(report(step(Conclusion.FAILED, *PROBLEMS)))["runs"]
    results = run["results"]
    places = [result["locations"][0]["physicalLocation"] for result in results]
    assert [place["artifactLocation"]["uri"] for place in places] == [
        "pyproject.toml",
        "src/a%20b.py",
        "pyproject.toml",
    ]
    assert [place["region"]["startLine"] for place in places] == [1, 7, 1]
    assert [result["level"] for result in results] == ["error", "note", "note"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in results] == [problem.rule for problem in PROBLEMS]


def test_a_file_outside_the_project_is_named_in_the_message() -> None:
    (run,) = sarif(report(step(Conclusion.FAILED, PROBLEMS[2])))["runs"]
    assert run["results"][0]["message"]["text"].startswith("/elsewhere/c.py:9: ")


def test_the_worst_step_decides() -> None:
    steps = (step(Conclusion.PASSED), step(Conclusion.INCONCLUSIVE), step(Conclusion.FAILED), step(Conclusion.ERROR))
    assert report(*steps).conclusion is Conclusion.FAILED
    assert report(*steps[:2]).conclusion is Conclusion.INCONCLUSIVE
    assert report(step(Conclusion.SKIPPED), step(Conclusion.PASSED)).conclusion is Conclusion.PASSED


def test_a_check_that_checked_nothing_is_inconclusive() -> None:
    assert report(step(Conclusion.SKIPPED)).conclusion is Conclusion.INCONCLUSIVE
