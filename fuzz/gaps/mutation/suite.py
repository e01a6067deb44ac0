"""The tests that mutants must fail: one a case, judged by every property, in this process.

Imported inside the scratch copy only, once the mutated package stands in front; a process loads the target once.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
from pathlib import Path

import msgspec

from fuzz.gaps.model import ReplayPlan
from fuzz.judge import Call, Judge, Setup
from fuzz.properties.model import Verdict
from targets import registry

PLAN = "inferfuzz_plan.json"
SETUP = "inferfuzz_setup.json"
_measured: dict[str, float] = {}


def names() -> list[str]:
    """The names of the cases, in the order of the plan."""
    return list(_cases())


def judge(name: str, codes: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Judge a case by all properties, or by those that only observe and these; the codes of the violated ones, sorted.

    Raises whatever loading the target raises.
    """
    call = Call(case=_cases()[name], codes=codes)
    found = msgspec.json.decode(_judge().answer(msgspec.json.encode(call)), type=Verdict)
    return tuple(sorted({violation.code for violation in found.violations}))


def check(name: str) -> None:
    """Raise `AssertionError` with the codes if the case violates any property."""
    codes = judge(name)
    assert not codes, f"{name}: {', '.join(codes)}"


class FirstLook(msgspec.Struct, frozen=True):
    """What a process learns that is thrown away before any mutant is tested."""

    modules: tuple[str, ...]
    """All that were imported by judging a case, in the order of their import."""
    relating: tuple[str, ...]
    """Properties that run a case again."""
    measured: dict[str, float]
    """The calibration of the unchanged target."""


def first_look() -> bytes:
    """Judge the first case and calibrate; an encoded `FirstLook`."""
    for name in names()[:1]:
        judge(name)
    described = _judge().describe()
    return msgspec.json.encode(FirstLook(tuple(sys.modules), described.relating, described.measured))


def prepare(encoded: bytes) -> tuple[str, ...]:
    """Do once what processes forked from this one need not: import, read, and keep the calibration. Returns the
    properties that run a case again.

    Nothing of the target is run, so a mutant of what loading the target executes is tested like any other.
    """
    look = msgspec.json.decode(encoded, type=FirstLook)
    for module in look.modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    _measured.update(look.measured)
    _cases()
    return look.relating


@functools.cache
def _setup() -> Setup:
    return msgspec.json.decode(Path(SETUP).read_bytes(), type=Setup)


@functools.cache
def _cases() -> dict[str, msgspec.Raw]:
    plan = msgspec.json.decode(Path(PLAN).read_bytes(), type=ReplayPlan)
    return {case.name: case.case for case in plan.cases}


@functools.cache
def _judge() -> Judge:
    setup = msgspec.structs.replace(_setup(), measured=_measured)
    return Judge(registry.find(setup.target), setup)
