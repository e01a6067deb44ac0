"""The syntax of a probe."""

from __future__ import annotations

import ast
from operator import setitem
from typing import TypeVar

PROBES = "__inferfuzz_probes__"
"""Global of a probed module: the map, one byte an arm."""
MARK = "__inferfuzz_mark__"
"""Global of a probed module: `operator.setitem`, for arms of expressions; returns None at half a method's cost."""
NEXT = "__inferfuzz_next__"
"""Global of a probed module: the saturating successor of every count, 0..255."""

_SUCCESSORS = tuple(min(count + 1, 255) for count in range(256))

_Node = TypeVar("_Node", bound=ast.AST)


def namespace(probes: memoryview) -> dict[str, object]:
    """The globals that the probes of a module use."""
    return {PROBES: probes, MARK: setitem, NEXT: _SUCCESSORS}


def setting_probe(number: int) -> ast.stmt:
    """`probes[number] = 1`."""
    return ast.Assign(targets=[_byte(number, ast.Store())], value=ast.Constant(value=1))


def counting_probe(number: int) -> ast.stmt:
    """`probes[number] = next[probes[number]]`."""
    successor = ast.Subscript(value=_name(NEXT), slice=_byte(number, ast.Load()), ctx=ast.Load())
    return ast.Assign(targets=[_byte(number, ast.Store())], value=successor)


def marked(number: int, value: ast.expr) -> ast.expr:
    """`mark(probes, number, 1) or value`, which is the value."""
    return ast.BoolOp(op=ast.Or(), values=[_mark(number), value])


def marked_if_true(number: int, condition: ast.expr) -> ast.expr:
    """`condition and mark(probes, number, 1) is None`, which is as true as the condition."""
    true = ast.Compare(left=_mark(number), ops=[ast.Is()], comparators=[ast.Constant(value=None)])
    return ast.BoolOp(op=ast.And(), values=[condition, true])


def placed(node: _Node, place: ast.AST) -> _Node:
    """The node, with the place of another wherever it has none."""
    for inner in ast.walk(node):
        if "lineno" in inner._attributes and not hasattr(inner, "lineno"):
            ast.copy_location(inner, place)
    return node


def _name(name: str) -> ast.Name:
    return ast.Name(id=name, ctx=ast.Load())


def _byte(number: int, context: ast.expr_context) -> ast.Subscript:
    return ast.Subscript(value=_name(PROBES), slice=ast.Constant(value=number), ctx=context)


def _mark(number: int) -> ast.expr:
    return ast.Call(
        func=_name(MARK), args=[_name(PROBES), ast.Constant(value=number), ast.Constant(value=1)], keywords=[]
    )
