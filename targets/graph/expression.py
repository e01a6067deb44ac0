"""The small expression language of conditions and transforms: parsed, checked and compiled, never evaluated as code.

It has integers, texts, true, false, null, lists, channel names, comparisons, `in`, `and`, `or`, `not`, `+ - * // %`
and `len(x)`. Every result is bounded, so an expression can neither run long nor grow large.
"""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_LENGTH = 500
MAX_DEPTH = 24
MAX_NUMBER = 2**53
MAX_SIZE = 10_000
"""Characters of a text, elements of a list."""

Evaluate = Callable[[Mapping[str, Any]], Any]

_CONSTANTS = {"true": True, "false": False, "null": None}

_ORDERINGS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class ExpressionError(Exception):
    """An expression is malformed, or a value in it does not fit the operation."""


@dataclass(frozen=True)
class Expression:
    """A checked expression and the channel names it reads."""

    text: str
    names: frozenset[str]
    _evaluate: Evaluate

    def __call__(self, state: Mapping[str, Any]) -> Any:
        """Its value in this state. Raises `ExpressionError`."""
        return self._evaluate(state)

    def holds(self, state: Mapping[str, Any]) -> bool:
        """Whether its value is true. Raises `ExpressionError` for a value that is not true or false."""
        value = self._evaluate(state)
        if not isinstance(value, bool):
            raise ExpressionError(f"the condition {self.text!r} gives {_show(value)}, not true or false")
        return value


@functools.lru_cache(maxsize=8192)
def parse(text: str) -> Expression:
    """The expression of a text. Raises `ExpressionError` with the place in the text."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        place = f" at column {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
        raise ExpressionError(f"{text!r} is not an expression{place}") from None
    names: set[str] = set()
    evaluate = _compile(tree, names, 0)
    return Expression(text, frozenset(names), evaluate)


def _compile(node: ast.expr, names: set[str], depth: int) -> Evaluate:
    if depth > MAX_DEPTH:
        raise ExpressionError(f"the expression is nested deeper than {MAX_DEPTH}")
    inner = functools.partial(_compile, names=names, depth=depth + 1)
    match node:
        case ast.Constant() | ast.Name():
            return _leaf(node, names)
        case ast.List(elts=items):
            parts = [inner(item) for item in items]
            return lambda state: bounded([part(state) for part in parts])
        case ast.BoolOp(op=operation, values=values):
            return _logic(isinstance(operation, ast.And), [inner(value) for value in values])
        case ast.UnaryOp(op=operation, operand=operand):
            return _unary(operation, inner(operand))
        case ast.BinOp(left=left, op=operation, right=right):
            return _arithmetic(operation, inner(left), inner(right))
        case ast.Compare(left=left, ops=[operation], comparators=[right]):
            return _comparison(operation, inner(left), inner(right))
        case ast.Call(func=ast.Name(id="len"), args=[argument], keywords=[]):
            measured = inner(argument)
            return lambda state: _length(measured(state))
    raise ExpressionError(f"{ast.unparse(node)!r} is not part of the expression language")


def _leaf(node: ast.Constant | ast.Name, names: set[str]) -> Evaluate:
    if isinstance(node, ast.Constant):
        if type(node.value) not in (int, str):
            raise ExpressionError(f"{node.value!r} is no value here; integers, texts, true, false and null are")
        return _constant(bounded(node.value))
    if node.id in _CONSTANTS:
        return _constant(_CONSTANTS[node.id])
    names.add(node.id)
    return _lookup(node.id)


def _unary(operation: ast.unaryop, operand: Evaluate) -> Evaluate:
    match operation:
        case ast.Not():
            return lambda state: not _truth(operand(state))
        case ast.USub():
            return lambda state: -number(operand(state))
    raise ExpressionError(f"the operator {type(operation).__name__} is not part of the expression language")


def bounded(value: Any) -> Any:
    """The value itself. Raises `ExpressionError` if it is larger than any channel may hold."""
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise ExpressionError(f"the number is beyond {MAX_NUMBER}")
    if isinstance(value, str | list) and len(value) > MAX_SIZE:
        raise ExpressionError(f"the {'text' if isinstance(value, str) else 'list'} is longer than {MAX_SIZE}")
    return value


def number(value: Any) -> int:
    """The value as an integer; true and false are not numbers. Raises `ExpressionError`."""
    if type(value) is not int:
        raise ExpressionError(f"{_show(value)} is not a number")
    return value


def _constant(value: Any) -> Evaluate:
    return lambda _: value


def _lookup(name: str) -> Evaluate:
    def evaluate(state: Mapping[str, Any]) -> Any:
        try:
            return state[name]
        except KeyError:
            raise ExpressionError(f"there is no channel {name!r}") from None

    return evaluate


def _logic(conjunction: bool, parts: list[Evaluate]) -> Evaluate:
    if conjunction:
        return lambda state: all(_truth(part(state)) for part in parts)
    return lambda state: any(_truth(part(state)) for part in parts)


def _arithmetic(operation: ast.operator, left: Evaluate, right: Evaluate) -> Evaluate:
    match operation:
        case ast.Add():
            return lambda state: _add(left(state), right(state))
        case ast.Sub():
            return lambda state: bounded(number(left(state)) - number(right(state)))
        case ast.Mult():
            return lambda state: bounded(number(left(state)) * number(right(state)))
        case ast.FloorDiv():
            return lambda state: number(left(state)) // _divisor(right(state))
        case ast.Mod():
            return lambda state: number(left(state)) % _divisor(right(state))
    raise ExpressionError(f"the operator {type(operation).__name__} is not part of the expression language")


def _comparison(operation: ast.cmpop, left: Evaluate, right: Evaluate) -> Evaluate:
    match operation:
        case ast.Eq():
            return lambda state: _equal(left(state), right(state))
        case ast.NotEq():
            return lambda state: not _equal(left(state), right(state))
        case ast.In():
            return lambda state: _contains(right(state), left(state))
        case ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE():
            compare = _ORDERINGS[type(operation)]
            return lambda state: compare(*_comparable(left(state), right(state)))
    raise ExpressionError(f"the comparison {type(operation).__name__} is not part of the expression language")


def _add(left: Any, right: Any) -> Any:
    if type(left) is not type(right) or not isinstance(left, int | str | list) or isinstance(left, bool):
        raise ExpressionError(f"{_show(left)} + {_show(right)} do not fit together")
    return bounded(left + right)


def _divisor(value: Any) -> int:
    if number(value) == 0:
        raise ExpressionError("division by zero")
    return int(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ExpressionError(f"{_show(value)} is not true or false")
    return value


def _equal(left: Any, right: Any) -> bool:
    # In Python true == 1; in this language a number never equals a truth value.
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)


def _comparable(left: Any, right: Any) -> tuple[Any, Any]:
    if type(left) is not type(right) or type(left) not in (int, str):
        raise ExpressionError(f"{_show(left)} and {_show(right)} have no order")
    return left, right


def _contains(container: Any, element: Any) -> bool:
    if isinstance(container, list):
        return any(_equal(item, element) for item in container)
    if isinstance(container, str) and isinstance(element, str):
        return element in container
    raise ExpressionError(f"{_show(element)} cannot be in {_show(container)}")


def _length(value: Any) -> int:
    if not isinstance(value, str | list):
        raise ExpressionError(f"{_show(value)} has no length")
    return len(value)


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
