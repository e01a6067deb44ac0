"""Judging executors: the lab behind the interface that the worker entry uses for every kind of target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fuzz.lab.lab import Lab
from fuzz.lab.tolerance import BATCH, DEVICE, RECOMPUTE, REPEAT
from fuzz.lab.verdict import judge
from fuzz.properties.model import Property, Verdict
from targets.contract import Target
from targets.trace import Trace

KINDS = (BATCH, REPEAT, RECOMPUTE, "prefix_cache", "chunk_size", "block_size", "total_blocks", "speculative")


class ExecutorBench:
    """Judges traces on one target, device and dtype."""

    case_type: type[Any] = Trace

    def __init__(self, target: Target, device: str, dtype: str, measured: dict[str, float]) -> None:
        self._lab = Lab(target, device, dtype, measured)
        self.probe: object = self._lab.bench

    def judge(self, case: Trace, chosen: Sequence[Property]) -> Verdict:
        """Judge one trace."""
        return judge(self._lab, case, chosen)

    def calibrate(self) -> tuple[dict[str, float], dict[str, float]]:
        """Measured differences and eps, by kind of path pair."""
        tolerances = self._lab.tolerances
        kinds = [kind for kind in KINDS if kind in (BATCH, REPEAT, RECOMPUTE) or self._lab.values(kind)]
        if (self._lab.device, self._lab.dtype) != ("cpu", "float32"):
            kinds.append(DEVICE)
        eps = {kind: tolerances.eps(kind) for kind in kinds}
        return dict(tolerances.measured), eps
