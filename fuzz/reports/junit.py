"""JUnit XML of a check, as build servers read it: a test suite a step, a test case a problem or a clean step."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from fuzz.check.model import CheckReport, Conclusion, Problem, StepResult

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAGS = {Conclusion.FAILED: "failure", Conclusion.ERROR: "error", Conclusion.INCONCLUSIVE: "error"}


def junit_xml(report: CheckReport) -> bytes:
    """The document in UTF-8. Characters that XML does not allow are shown as question marks."""
    suites = [_suite(step, report.made) for step in report.steps]
    root = ET.Element("testsuites", name="inferfuzz check", time=f"{report.seconds:.3f}")
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.extend(suites)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _suite(step: StepResult, made: str) -> ET.Element:
    name = f"{step.step}[{step.target}]" if step.target else step.step
    blocking = [problem for problem in step.problems if problem.blocking]
    suite = ET.Element("testsuite", name=_legal(name), time=f"{step.seconds:.3f}", timestamp=made.partition("+")[0])
    tag = _TAGS.get(step.conclusion)
    if tag and blocking:
        for problem in blocking:
            case = ET.SubElement(suite, "testcase", classname=_legal(name), name=_legal(_title(problem)))
            shown = ET.SubElement(case, tag, message=_legal(problem.message.splitlines()[0]), type=problem.rule)
            shown.text = _legal(problem.message)
    else:
        case = ET.SubElement(suite, "testcase", classname=_legal(name), name=step.step, time=f"{step.seconds:.3f}")
        if tag:
            ET.SubElement(case, tag, message=_legal(step.summary), type=f"{step.step}/{step.conclusion}")
        elif step.conclusion is Conclusion.SKIPPED:
            ET.SubElement(case, "skipped", message=_legal(step.summary))
        else:
            ET.SubElement(case, "system-out").text = _legal(step.summary)
    counts = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    suite.set("tests", str(len(suite)))
    for attribute, kind in counts.items():
        suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    return suite


def _title(problem: Problem) -> str:
    return f"{problem.rule} {problem.path}:{problem.line}" if problem.path else problem.rule


def _legal(text: str) -> str:
    return _ILLEGAL.sub("?", text)
