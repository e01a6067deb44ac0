"""Says which kind of code a gap is, from the syntax tree alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from fuzz.gaps.model import GapKind
from fuzz.gaps.regions import Region

_DEVICE = re.compile(r"\b(cuda|mps|xpu|hip|rocm|npu|tpu)\b", re.IGNORECASE)
_LEAVING = (ast.Return, ast.Continue, ast.Break)


def kind_of(region: Region, tree: ast.Module) -> GapKind:
    """The kind; a device-only path is told apart first, for nothing here can reach it."""
    arms = tuple(_arms(tree, region))
    if region.whole and not region.function.name:
        return GapKind.MODULE
    if _asks_for_device(region, arms):
        return GapKind.DEVICE
    if region.whole:
        return GapKind.FUNCTION
    if not region.lines:
        return _kind_of_branch(tree, region)
    if any(isinstance(arm.owner, ast.ExceptHandler) for arm in arms) or _ends_in(arms, region, (ast.Raise,)):
        return GapKind.ERROR
    if any(arm.is_default for arm in arms if arm.first in region.lines):
        return GapKind.DEFAULT
    if _ends_in(arms, region, _LEAVING) and len(region.lines) <= 2:
        return GapKind.GUARD
    return GapKind.PATH


class _Arm:
    """A block of statements that runs when a decision goes one way."""

    def __init__(self, owner: ast.AST, body: list[ast.stmt], test: ast.AST | None, *, is_default: bool) -> None:
        self.owner = owner
        self.body = body
        self.test = test
        self.is_default = is_default
        self.first = body[0].lineno
        self.last = body[-1].end_lineno or body[-1].lineno


def _arms(tree: ast.Module, region: Region) -> Iterator[_Arm]:
    """The arms inside the region's function that hold its first line, from outside in."""
    line = region.line
    for node in ast.walk(region.function.node if region.function.name else tree):
        for arm in _arms_of(node):
            if arm.first <= line <= arm.last:
                yield arm


def _arms_of(node: ast.AST) -> Iterator[_Arm]:
    match node:
        case ast.If():
            yield _Arm(node, node.body, node.test, is_default=False)
            # An `elif` is the only statement of its `else`.
            if node.orelse and not (len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)):
                yield _Arm(node, node.orelse, node.test, is_default=True)
        case ast.ExceptHandler():
            yield _Arm(node, node.body, None, is_default=False)
        case ast.match_case():
            wild = isinstance(node.pattern, ast.MatchAs) and node.pattern.pattern is None
            yield _Arm(node, node.body, node.guard, is_default=wild)


def _asks_for_device(region: Region, arms: tuple[_Arm, ...]) -> bool:
    asked = [ast.unparse(arm.test) for arm in arms if arm.test is not None]
    # An underscore joins words for `\b`.
    return any(_DEVICE.search(text.replace("_", " ")) for text in (*asked, region.function.name))


def _ends_in(arms: tuple[_Arm, ...], region: Region, kinds: tuple[type[ast.stmt], ...]) -> bool:
    """Whether the innermost arm of the region is missing as a whole, and ends in such a statement."""
    missing = [arm for arm in arms if arm.first in region.lines]
    if missing:
        return isinstance(missing[-1].body[-1], kinds)
    # The code behind an early return, or a single statement at the end of a function.
    return isinstance(_statement_at(region), kinds)


def _statement_at(region: Region) -> ast.stmt | None:
    wanted = region.lines[-1]
    found = None
    for node in ast.walk(region.function.node):
        if isinstance(node, ast.stmt) and node.lineno <= wanted <= (node.end_lineno or node.lineno):
            found = node
    return found


def _kind_of_branch(tree: ast.Module, region: Region) -> GapKind:
    """A branch between two executed lines: where does it go?"""
    start, end = region.branches[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and node.lineno == start:
            if node.body[0].lineno <= end <= (node.body[-1].end_lineno or end):
                return GapKind.GUARD if isinstance(node.body[-1], _LEAVING) else GapKind.PATH
            return GapKind.DEFAULT
    return GapKind.DEFAULT
