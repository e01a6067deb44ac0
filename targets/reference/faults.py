"""Faults on demand at the borders of the engine's layers, and what they have to turn into.

The engine's code passes its points whether a fault is armed or not; without one a pass is counted, and that is all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from targets.contract import FaultPoint
from targets.errors import unknown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

EXECUTOR_POINTS = ("allocation", "logits", "detokenize", "device-slow")
"""A block taken from the pool, the logits and the text of one token, the computation of one step."""
FRONT_END_POINTS = ("tokenize", "render")
"""The tokens of one text of a request, and one event of its answer."""
GRAPH_POINTS = ("model", "tool", "checkpoint")
"""A question to a model or a tool, and a checkpoint that is written to the store."""
SLOW_SECONDS = 0.005
"""How long a slow device pauses."""


class RequestFailed(Exception):  # noqa: N818 - what has happened to one request, and to no other
    """One request (or run) cannot go on, for a reason outside the engine. It ends with an error; the others go on."""


class FaultInjector:
    """Counts how often each point is passed, and lets one pass fail."""

    def __init__(self, names: Iterable[str]) -> None:
        self._passed = dict.fromkeys(names, 0)
        self._armed: tuple[str, int] | None = None

    @property
    def passed(self) -> dict[str, int]:
        """How often each point was passed so far."""
        return dict(self._passed)

    def arm(self, fault: FaultPoint | None) -> None:
        """Fail once, at that pass from now on; withdraws what was armed. Raises `UsageError` for an unknown point."""
        self._armed = None
        if fault is None:
            return
        if fault.name not in self._passed:
            raise unknown("fault point", fault.name, self._passed, "These are the points that can fail.")
        self._armed = (fault.name, self._passed[fault.name] + fault.occurrence)

    def strikes(self, name: str) -> bool:
        """Count a pass; whether it is the one that fails."""
        self._passed[name] += 1
        if self._armed != (name, self._passed[name]):
            return False
        self._armed = None
        return True

    def check(self, name: str) -> None:
        """Raises `RequestFailed` if this pass fails."""
        if self.strikes(name):
            raise RequestFailed(f"{name} failed")

    def spoil(self, name: str, rows: npt.NDArray[np.float64]) -> None:
        """One pass for each row [rows, vocab]; the one that fails is filled with NaN."""
        for row in rows:
            if self.strikes(name):
                row[:] = math.nan

    def delay(self, name: str) -> None:
        """A pass that fails takes `SLOW_SECONDS`."""
        if self.strikes(name):
            time.sleep(SLOW_SECONDS)
