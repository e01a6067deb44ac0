"""Reads bytes as a case, as Hypothesis does for fuzzers (`fuzz_one_input`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from fuzz.engines.model import Case, CaseSpace
from targets.codec import encode


def reader(space: CaseSpace, run: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """What reads bytes as a case and runs it; nothing runs if they are too few."""

    @settings(database=None, deadline=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
    @given(space.strategy())
    def test(case: Case) -> None:
        run(encode(case))

    handle: Any = test
    fuzz_one_input = handle.hypothesis.fuzz_one_input

    def read(data: bytes) -> None:
        fuzz_one_input(data)

    return read
