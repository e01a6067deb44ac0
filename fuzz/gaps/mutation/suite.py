"""The tests that mutants must fail: every property on the cases of a plan, judged in this process.

Imported by the generated test module inside the scratch copy; a process loads the target once.
"""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec

from fuzz.gaps.model import ReplayPlan
from fuzz.judge import Call, Judge, Setup
from fuzz.properties.model import Verdict
from targets import registry

PLAN = "inferfuzz_plan.json"
CODES = "inferfuzz_codes.json"
OBSERVING = "observing"
"""Name of the test of all properties that only look at the run of the case itself."""


def codes() -> list[str]:
    """Parameters of the generated test: `observing`, then every property that runs a case again."""
    found: list[str] = msgspec.json.decode(Path(CODES).read_bytes())
    return found


def check(code: str) -> None:
    """Judge every case by one property. Raises `AssertionError` with the signatures at the first violation."""
    judge, cases = _loaded()
    chosen = () if code == OBSERVING else (code,)
    for name, case in cases:
        payload = msgspec.json.encode(Call(case=case, codes=chosen))
        verdict = msgspec.json.decode(judge.answer(payload), type=Verdict)
        shown = sorted(violation.signature for violation in verdict.violations)
        assert not shown, f"{name}: {', '.join(shown)}"


@functools.cache
def _loaded() -> tuple[Judge, tuple[tuple[str, msgspec.Raw], ...]]:
    plan = msgspec.json.decode(Path(PLAN).read_bytes(), type=ReplayPlan)
    setup = Setup(target=plan.target, device=plan.device, dtype=plan.dtype)
    judge = Judge(registry.find(plan.target), setup)
    return judge, tuple((case.name, case.case) for case in plan.cases)
