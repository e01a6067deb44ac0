"""What is probed: its branches lead to a crash and to a hang."""

from __future__ import annotations

from tests.fuzz.engines.fragile import crash, hang


def check(values: list[int]) -> str:
    if values[0] > 250:
        crash()
    if values[1] > 254:
        hang()
    if values[2] > 128:
        return "high"
    return "low"
