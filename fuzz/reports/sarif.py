"""SARIF 2.1.0 of a check, as code-review and code-scanning services read it."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from fuzz.check.model import CheckReport, Problem

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_FALLBACK = "pyproject.toml"
"""Services drop results without a place; what is about the project as a whole stands here."""


def sarif(report: CheckReport) -> dict[str, Any]:
    """The log, to be written as JSON."""
    problems = [problem for step in report.steps for problem in step.problems]
    rules = sorted({problem.rule for problem in problems})
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "inferfuzz",
                        "semanticVersion": report.versions.get("inferfuzz", "0"),
                        "rules": [{"id": rule, "shortDescription": {"text": _described(rule)}} for rule in rules],
                    }
                },
                "originalUriBaseIds": {"PROJECT": {"description": {"text": "Folder of pyproject.toml"}}},
                "results": [_result(problem, rules.index(problem.rule)) for problem in problems],
                "invocations": [{"executionSuccessful": not report.interrupted}],
            }
        ],
    }


def _result(problem: Problem, rule: int) -> dict[str, Any]:
    # An absolute path is of a package outside the project, which a review cannot show.
    inside = problem.path and not PurePath(problem.path).is_absolute()
    place = problem.path if inside else _FALLBACK
    message = problem.message if inside or not problem.path else f"{problem.path}:{problem.line}: {problem.message}"
    return {
        "ruleId": problem.rule,
        "ruleIndex": rule,
        "level": "error" if problem.blocking else "note",
        "message": {"text": message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(PurePath(place).as_posix()), "uriBaseId": "PROJECT"},
                    "region": {"startLine": max(1, problem.line if inside else 1)},
                }
            }
        ],
    }


def _described(rule: str) -> str:
    kind, _, name = rule.partition("/")
    words = name.replace("-", " ")
    texts = {
        "gap": f"Code that nothing exercises: {words}",
        "tier": f"Coverage tier {words} is below its minimum or lost coverage",
        "certify": f"Certification step failed: {words}",
    }
    return texts.get(kind, f"{kind}: {words}")
