"""Constants that a target's source mentions: the numbers and words at which its code decides something."""

from __future__ import annotations

import ast

import msgspec

_LONGEST = 64
"""Longer strings are messages, not values that a request could carry."""


class Constants(msgspec.Struct, frozen=True):
    """Literals of a program, without the trivial ones; each sorted."""

    integers: tuple[int, ...] = ()
    numbers: tuple[float, ...] = ()
    strings: tuple[str, ...] = ()

    def union(self, other: Constants) -> Constants:
        """Those of either."""
        return Constants(
            integers=tuple(sorted({*self.integers, *other.integers})),
            numbers=tuple(sorted({*self.numbers, *other.numbers})),
            strings=tuple(sorted({*self.strings, *other.strings})),
        )


def mine(tree: ast.Module) -> Constants:
    """The integers, floats and short strings of a syntax tree; docstrings, 0, 1 and empty strings are left out."""
    values = [node.value for node in _constants(tree)]
    return Constants(
        integers=tuple(sorted({value for value in values if type(value) is int and abs(value) > 1})),
        numbers=tuple(sorted({value for value in values if type(value) is float and value not in (0.0, 1.0)})),
        strings=tuple(sorted({value for value in values if type(value) is str and 0 < len(value) <= _LONGEST})),
    )


def _constants(tree: ast.Module) -> list[ast.Constant]:
    # A string that stands alone is a docstring or a comment; one in an annotation is a type.
    ignored: set[int] = set()
    found: list[ast.Constant] = []
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()):
                ignored.add(id(node.value))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                found.append(ast.Constant(value=-value))
            case ast.AnnAssign(annotation=annotation) | ast.arg(annotation=ast.expr() as annotation):
                ignored.update(id(inner) for inner in ast.walk(annotation))
            case ast.Constant() if id(node) not in ignored:
                found.append(node)
    return found
