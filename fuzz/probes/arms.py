"""What a branch arm is: that which runs when a decision goes one way.

Boolean operators that are the test of an `if` are taken apart into their operands, at no cost; elsewhere a probe in an
operand would need a call, which costs two stores, and has been left out.
"""

from __future__ import annotations

import enum

import msgspec


class ArmKind(enum.StrEnum):
    """Which way a decision went."""

    FUNCTION = "function entered"
    IF = "if"
    ELSE = "else"
    LOOP = "loop body"
    LOOP_END = "loop ended"
    EXCEPT = "except"
    NO_EXCEPTION = "try ended"
    CASE = "case"
    NO_CASE = "no case"
    THEN = "conditional value"
    OTHERWISE = "alternative value"
    KEPT = "element kept"


class Arm(msgspec.Struct, frozen=True, array_like=True):
    """One arm: where it is and what it means."""

    line: int
    kind: ArmKind
    function: str
    """Qualified name of the enclosing function; empty at module level."""
