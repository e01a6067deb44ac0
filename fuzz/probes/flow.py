"""What can be told from other arms: a block that always goes through one of them needs no probe of its own.

This halves the cost of the probes. An exception before the first decision of a block hides that the block was entered;
the arms of what raised show it instead.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

_Jump = ast.Return | ast.Raise | ast.Break | ast.Continue


def passes_an_arm(body: Sequence[ast.stmt]) -> bool:
    """Whether running the block to its end or to its first jump always passes one of its arms."""
    for statement in body:
        match statement:
            case ast.If() | ast.Match():
                return True
            case ast.For() | ast.AsyncFor() | ast.While() if not has_one_way_out(statement):
                return True
            case ast.Try(body=inner) | ast.TryStar(body=inner) | ast.With(body=inner) | ast.AsyncWith(body=inner):
                if passes_an_arm(inner):
                    return True
        if _may_jump(statement):
            return False
    return False


def jumps(body: Sequence[ast.stmt]) -> bool:
    """Whether what follows the block is reached only without it."""
    return bool(body) and isinstance(body[-1], _Jump)


def has_one_way_out(loop: ast.For | ast.AsyncFor | ast.While) -> bool:
    """Whether the loop is always left in the same way, so that the way tells nothing."""
    if isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant) and loop.test.value:
        return not loop.orelse
    return not any(isinstance(node, ast.Break | ast.Return) for part in loop.body for node in ast.walk(part))


def is_plain(body: Sequence[ast.stmt]) -> bool:
    """Whether the block is one statement without a block of its own, so that it may stand twice."""
    return len(body) == 1 and isinstance(body[0], ast.Expr | ast.Assign | ast.AugAssign | ast.Pass | _Jump)


def only_returns(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it is a property without a decision: reading one is no news, and they are read often."""
    is_property = any(isinstance(item, ast.Name) and item.id == "property" for item in function.decorator_list)
    return is_property and isinstance(function.body[-1], ast.Return) and len(function.body) <= 2


def is_irrefutable(case: ast.match_case) -> bool:
    """Whether the case takes everything that gets to it."""
    return case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None


def _may_jump(statement: ast.stmt) -> bool:
    return any(isinstance(node, _Jump) for node in ast.walk(statement))
