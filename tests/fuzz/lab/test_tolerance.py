"""Eps lies between a floor and a cap that follow from the dtype and the scale of the logits."""

from __future__ import annotations

import pytest

from fuzz.lab.tolerance import BATCH, Tolerances


def tolerances(measured: float, dtype: str = "float32") -> Tolerances:
    return Tolerances(dtype=dtype, scale=8.0, measure=lambda _kind: measured)


def test_a_bit_equal_calibration_gives_the_floor() -> None:
    assert tolerances(0.0).eps(BATCH) == tolerances(0.0).floor == 32 * 2.0**-23 * 8.0


def test_eps_is_four_times_the_measured_difference() -> None:
    assert tolerances(1e-4).eps(BATCH) == pytest.approx(4e-4)


def test_a_defect_in_the_calibration_cannot_raise_eps_above_the_cap() -> None:
    assert tolerances(5.0).eps(BATCH) == tolerances(5.0).cap < 1e-3
    assert tolerances(5.0, "bfloat16").eps(BATCH) == 1.0


def test_a_kind_is_measured_once() -> None:
    asked: list[str] = []

    def measure(kind: str) -> float:
        asked.append(kind)
        return 0.0

    found = Tolerances(dtype="float32", scale=1.0, measure=measure)

    found.eps(BATCH)
    found.eps(BATCH)

    assert asked == [BATCH]
