"""How far two numbers may lie apart: eps for each kind of path pair, calibrated on fixed known-good traces.

`eps = min(cap, max(floor, 4 * measured))`, where `measured` is the largest difference of a log-probability over the
calibration pairs of that kind. Floor and cap follow from the dtype and the scale of the logits. The floor keeps a
bit-equal calibration from demanding bit equality of other shapes. The cap keeps a defect that the calibration runs
into from hiding itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

SAFETY = 4.0
FLOOR_ULPS = 32
FLOOR_SHARE = 2.0**-7
"""Where a unit roundoff is large, sums are kept in float32, and only the rounding of single values adds up."""
CAP_ULPS = 1024
CAP_SHARE = 0.125

UNIT_ROUNDOFF = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-11, "bfloat16": 2.0**-8}
FINE = UNIT_ROUNDOFF["float32"]
ROUNDING = 1e-12
COARSEST = 2.0**-8
DEFAULT_SCALE = 16.0

BATCH = "batch"
"""Alone against together with other requests."""
REPEAT = "repeat"
"""The same trace again."""
RECOMPUTE = "recompute"
"""Step by step with a KV cache against one full forward pass."""
DEVICE = "device"
"""This device and dtype against float32 on the CPU."""


@dataclass
class Tolerances:
    """Eps by kind of path pair; a knob's name is the kind of the pairs that differ in it."""

    dtype: str
    scale: float
    """Largest distance of a logit from the median of its row, over the calibration prompts."""
    measure: Callable[[str], float]
    """Runs the calibration pairs of a kind; called at most once a kind, on first use."""
    measured: dict[str, float] = field(default_factory=dict)

    @property
    def floor(self) -> float:
        """Smallest eps of any kind."""
        return min(FLOOR_SHARE, FLOOR_ULPS * self._ulp) * self.scale

    @property
    def cap(self) -> float:
        """Largest eps of any kind."""
        return min(CAP_SHARE, CAP_ULPS * self._ulp) * self.scale

    def eps(self, kind: str) -> float:
        """Largest acceptable difference of a logit or log-probability between two runs of this kind of pair."""
        if kind not in self.measured:
            self.measured[kind] = self.measure(kind)
        return min(self.cap, max(self.floor, SAFETY * self.measured[kind]))

    def identical(self, kind: str) -> bool:
        """Whether both runs of such a pair give the same numbers, but for what the logarithm rounds in float64.

        Not said of half precision, where different sums often round to one number and equal ones may not.
        """
        self.eps(kind)
        return self._ulp <= FINE and self.measured[kind] < ROUNDING

    @property
    def _ulp(self) -> float:
        return UNIT_ROUNDOFF.get(self.dtype, COARSEST)
