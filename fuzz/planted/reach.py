"""Which bytes of the probe map tell that the block of code in which a bug is planted has run."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from fuzz.planted.edit import Edit
from fuzz.probes.insert import insert_probes
from fuzz.probes.nodes import PROBES
from fuzz.probes.plan import ProbePlan


def arms_of(edit: Edit, plain: str, plan: ProbePlan) -> tuple[int, ...]:
    """Arms of which at least one is passed whenever the edited line's block runs; empty if there is none.

    `plain` is the module's source without the edit; the plan numbers the source with it.
    """
    module = next((module for module in plan.modules if module.name == edit.module), None)
    if module is None:
        return ()
    tree = ast.parse(edit.apply(plain))
    insert_probes(tree, module.first)
    block = _innermost(tree.body, edit.line(plain))
    # The block's own probe stands at its start; without one, each way through it passes an arm inside.
    own = [number for statement in block if isinstance(statement, ast.Assign) for number in _numbers(statement)]
    return tuple(own[:1] or sorted({number for statement in block for number in _numbers(statement)}))


def _innermost(body: list[ast.stmt], line: int) -> list[ast.stmt]:
    """The block whose statement, not a statement inside it, holds the line."""
    for statement in body:
        if _first_line(statement) <= line <= (statement.end_lineno or 0):
            inner = (block for block in _blocks(statement) if _holds(block, line))
            return next((_innermost(block, line) for block in inner), body)
    return body


def _holds(block: list[ast.stmt], line: int) -> bool:
    return any(_first_line(statement) <= line <= (statement.end_lineno or 0) for statement in block)


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        if block := getattr(statement, name, []):
            yield block
    for part in (*getattr(statement, "handlers", []), *getattr(statement, "cases", [])):
        yield part.body


def _numbers(statement: ast.stmt) -> Iterator[int]:
    for node in ast.walk(statement):
        match node:
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int(number)))]):
                if name == PROBES:
                    yield number
            case ast.Call(args=[ast.Name(id=name), ast.Constant(value=int(number)), ast.Constant()]):
                if name == PROBES:
                    yield number
