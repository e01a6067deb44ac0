"""Judges cases in this process, telling a listener whose turn it is before each property."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Iterator
from typing import Any

from fuzz.gaps.model import ReplayCase, ReplayPlan
from fuzz.gaps.replay import REPLAY, SEPARATOR
from fuzz.judge import BENCHES, Bench
from fuzz.properties.model import Property, Violation
from fuzz.properties.registry import applicable, capability_names
from targets import registry
from targets.codec import decode


class Judging:
    """A loaded target and the properties that apply to it. Raises whatever loading the target raises."""

    def __init__(self, plan: ReplayPlan, listener: Callable[[str], object]) -> None:
        target = registry.find(plan.target)
        module, _, name = BENCHES[target.kind].partition(":")
        self._bench: Bench = getattr(importlib.import_module(module), name)(target, plan.device, plan.dtype, {})
        found = applicable(target, capability_names(self._bench.probe, target.kind)).applicable
        self._listener = listener
        self._strategy = ""
        self._chosen = tuple(self._announced(one) for one in found)
        self.codes = tuple(one.code for one in found)

    def judge(self, case: ReplayCase) -> tuple[str, ...]:
        """Signatures of the violations."""
        self._strategy = case.strategy
        self._listener(f"{REPLAY}{SEPARATOR}{case.strategy}")
        verdict = self._bench.judge(decode(bytes(case.case), self._bench.case_type), self._chosen)
        return tuple(violation.signature for violation in verdict.violations)

    def _announced(self, found: Property) -> Property:
        def check(lab: Any, case: Any) -> Iterator[Violation]:
            self._listener(f"{found.code}{SEPARATOR}{self._strategy}")
            try:
                yield from found.check(lab, case)
            finally:
                self._listener(f"{REPLAY}{SEPARATOR}{self._strategy}")

        return dataclasses.replace(found, check=check)
