"""Puts probes into the branch arms of a syntax tree, and numbers the arms in the order of the source."""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence

from fuzz.probes.arms import Arm, ArmKind
from fuzz.probes.flow import has_one_way_out, is_irrefutable, is_plain, jumps, only_returns, passes_an_arm
from fuzz.probes.nodes import counting_probe, marked, marked_if_true, placed, setting_probe

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Loop = ast.For | ast.AsyncFor | ast.While


_COUNTED = frozenset({ArmKind.IF, ArmKind.EXCEPT, ArmKind.CASE})
"""Arms whose probes count (to 255): how often a special thing happened. A count costs nearly two stores, so the other
arms, which are ordinary or say that a thing did not happen, only set their byte to 1."""


def insert_probes(tree: ast.Module, first: int) -> tuple[Arm, ...]:
    """Put a probe into the arms of the tree, in place; the arms, numbered from `first`.

    Arms that others imply have none (`fuzz.probes.flow`). Line numbers, docstrings and `__future__` imports stay as
    they are.
    """
    inserter = _Inserter(first)
    tree.body = inserter.block(tree.body)
    return tuple(inserter.arms)


class _Inserter(ast.NodeTransformer):
    def __init__(self, first: int) -> None:
        self.arms: list[Arm] = []
        self._first = first
        self._scope: list[str] = []

    def block(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        """The statements with probes in the arms inside them."""
        made: list[ast.stmt] = []
        for index, statement in enumerate(body):
            if isinstance(statement, ast.If):
                made.append(self._if(statement, body[index + 1 :]))
            else:
                made.append(self.visit(statement))
        return made

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self._scope.append(node.name)
        node.body = self.block(node.body)
        self._scope.pop()
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        # The annotation stays untouched: with `from __future__ import annotations` it is kept as text.
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_With(self, node: ast.With) -> ast.AST:
        return self._with(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        return self._with(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        node.test = self.visit(node.test)
        return self._loop(node)

    def visit_For(self, node: ast.For) -> ast.AST:
        node.iter = self.visit(node.iter)
        return self._loop(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        node.iter = self.visit(node.iter)
        return self._loop(node)

    def visit_Try(self, node: ast.Try) -> ast.AST:
        return self._try(node)

    def visit_TryStar(self, node: ast.TryStar) -> ast.AST:
        return self._try(node)

    def visit_Match(self, node: ast.Match) -> ast.AST:
        node.subject = self.visit(node.subject)
        for case in node.cases:
            if case.guard is not None:
                case.guard = self.visit(case.guard)
            case.body = self._arm(ArmKind.CASE, case.pattern, case.body)
        if not is_irrefutable(node.cases[-1]):
            wildcard = placed(ast.MatchAs(pattern=None, name=None), node)
            body = self._arm(ArmKind.NO_CASE, node, [])
            node.cases.append(ast.match_case(pattern=wildcard, guard=None, body=body))
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        node.test = self.visit(node.test)
        node.body = self._value(ArmKind.THEN, node.body)
        node.orelse = self._value(ArmKind.OTHERWISE, node.orelse)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.iter = self.visit(node.iter)
        node.ifs = [self._condition(condition) for condition in node.ifs]
        return node

    def _if(self, node: ast.If, after: Sequence[ast.stmt]) -> ast.stmt:
        match node.test:
            case ast.BoolOp(op=ast.And(), values=operands) if not node.orelse:
                return self._if_all(node, operands, after)
            case ast.BoolOp(op=ast.Or(), values=operands) if is_plain(node.body):
                return self._if(_if_any(node, operands), after)
        node.test = self.visit(node.test)
        implied = not node.orelse and jumps(node.body) and passes_an_arm(after)
        node.body = self._arm(ArmKind.IF, node, node.body)
        if not implied:
            node.orelse = self._arm(ArmKind.ELSE, node, node.orelse)
        return node

    def _if_all(self, node: ast.If, operands: Sequence[ast.expr], after: Sequence[ast.stmt]) -> ast.stmt:
        """`if a and b:` as `if a: if b:`: one store whichever operand decides, and no call for the operands."""
        operand, *others = operands
        implied = jumps(node.body) and passes_an_arm(after)
        test = self.visit(operand)
        if others:
            inner = placed(ast.If(test=others[0], body=node.body, orelse=[]), others[0])
            body = [self._if_all(inner, others, [])]
        else:
            body = self._arm(ArmKind.IF, node, node.body)
        orelse = [] if implied else self._arm(ArmKind.ELSE, operand, [])
        return placed(ast.If(test=test, body=body, orelse=orelse), node)

    def _function(self, node: _Function) -> ast.AST:
        node.decorator_list = [self.visit(decorator) for decorator in node.decorator_list]
        node.args.defaults = [self.visit(default) for default in node.args.defaults]
        node.args.kw_defaults = [default and self.visit(default) for default in node.args.kw_defaults]
        self._scope.append(node.name)
        start = 1 if ast.get_docstring(node, clean=False) is not None else 0
        if not only_returns(node):
            node.body[start:] = self._arm(ArmKind.FUNCTION, node, node.body[start:])
        self._scope.pop()
        return node

    def _with(self, node: ast.With | ast.AsyncWith) -> ast.AST:
        for item in node.items:
            item.context_expr = self.visit(item.context_expr)
        node.body = self.block(node.body)
        return node

    def _loop(self, node: _Loop) -> ast.AST:
        node.body = self._arm(ArmKind.LOOP, node, node.body)
        if not has_one_way_out(node):
            node.orelse = self._arm(ArmKind.LOOP_END, node, node.orelse)
        return node

    def _try(self, node: ast.Try | ast.TryStar) -> ast.AST:
        node.body = self.block(node.body)
        for handler in node.handlers:
            handler.body = self._arm(ArmKind.EXCEPT, handler, handler.body)
        if node.handlers:
            node.orelse = self._arm(ArmKind.NO_EXCEPTION, node, node.orelse)
        node.finalbody = self.block(node.finalbody)
        return node

    def _arm(self, kind: ArmKind, owner: ast.AST, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        if passes_an_arm(body):
            return self.block(body)
        # The probe takes the place of the statement before which it stands, so that no line is seen that did not run.
        place = body[0] if body else owner
        number = self._number(kind, int(getattr(place, "lineno", 0)))
        probe = counting_probe(number) if kind in _COUNTED else setting_probe(number)
        return [placed(probe, place), *self.block(body)]

    def _value(self, kind: ArmKind, value: ast.expr) -> ast.expr:
        number = self._number(kind, value.lineno)
        return placed(marked(number, self.visit(value)), value)

    def _condition(self, condition: ast.expr) -> ast.expr:
        number = self._number(ArmKind.KEPT, condition.lineno)
        return placed(marked_if_true(number, self.visit(condition)), condition)

    def _number(self, kind: ArmKind, line: int) -> int:
        self.arms.append(Arm(line, kind, ".".join(self._scope)))
        return self._first + len(self.arms) - 1


def _if_any(node: ast.If, operands: Sequence[ast.expr]) -> ast.If:
    """`if a or b: x` as `if a: x` `elif b: x`, for a single plain statement `x`."""
    operand, *others = operands
    if not others:
        return placed(ast.If(test=operand, body=node.body, orelse=node.orelse), operand)
    rest = _if_any(ast.If(test=operand, body=copy.deepcopy(node.body), orelse=node.orelse), others)
    return placed(ast.If(test=operand, body=node.body, orelse=[rest]), operand)
