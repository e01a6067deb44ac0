"""Cuts what is missing in a file into gaps: contiguous stretches of one function, and branches never taken."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fuzz.gaps.measure import Measured

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    """A function and the lines it spans, inner functions included."""

    name: str
    """Qualified; empty for the module itself."""
    first: int
    last: int
    body: int
    """First line of its body."""
    node: ast.AST


@dataclass(frozen=True)
class Region:
    """One gap before it is named and judged."""

    function: Function
    lines: tuple[int, ...]
    branches: tuple[tuple[int, int], ...]
    whole: bool = False
    """Whether the function was never entered, or the module never imported."""

    @property
    def line(self) -> int:
        """Where people should look: the first missing line, or the line with the branch."""
        return self.lines[0] if self.lines else self.branches[0][0]


def functions_of(tree: ast.Module) -> tuple[Function, ...]:
    """All functions, and the module first; inner ones come after those around them."""
    length = max((getattr(node, "end_lineno", 0) or 0 for node in ast.walk(tree)), default=0)
    return (Function("", 1, length, 1, tree), *_inside(tree, ""))


def regions(measured: Measured, tree: ast.Module) -> tuple[Region, ...]:
    """The gaps of a file, from top to bottom."""
    functions = functions_of(tree)
    if measured.missing and not measured.executed:
        return (Region(functions[0], tuple(sorted(measured.missing)), (), whole=True),)
    by_function: dict[Function, list[int]] = {}
    for line in sorted(measured.missing):
        by_function.setdefault(_owner(functions, line), []).append(line)
    found: list[Region] = []
    taken: set[tuple[int, int]] = set()
    for function, lines in by_function.items():
        if _never_entered(function, measured):
            found.append(Region(function, tuple(lines), (), whole=True))
            taken |= {branch for branch in measured.missing_branches if function.first <= branch[0] <= function.last}
            continue
        for stretch in _stretches(lines, measured):
            into = tuple(sorted(branch for branch in measured.missing_branches if branch[1] in stretch))
            inside = {branch for branch in measured.missing_branches if branch[0] in stretch}
            taken |= {*into, *inside}
            found.append(Region(function, stretch, tuple(branch for branch in into if branch not in inside)))
    found += [
        Region(_owner(functions, branch[0]), (), (branch,))
        for branch in sorted(measured.missing_branches - taken)
        if branch[0] not in measured.missing
    ]
    return tuple(sorted(found, key=lambda region: region.line))


def _inside(node: ast.AST, prefix: str) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FunctionNode):
            name = f"{prefix}{child.name}"
            first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
            yield Function(name, first, child.end_lineno or child.lineno, child.body[0].lineno, child)
            yield from _inside(child, f"{name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _inside(child, f"{prefix}{child.name}.")
        else:
            yield from _inside(child, prefix)


def _owner(functions: Sequence[Function], line: int) -> Function:
    # The last one that spans the line is the innermost; the line of `def` itself belongs to whoever defines it.
    return next(found for found in reversed(functions) if not found.name or found.body <= line <= found.last)


def _never_entered(function: Function, measured: Measured) -> bool:
    if not function.name:
        return False
    return not any(function.body <= line <= function.last for line in measured.executed)


def _stretches(lines: Sequence[int], measured: Measured) -> Iterator[tuple[int, ...]]:
    """Runs of missing lines that no executed line interrupts."""
    run: list[int] = []
    for line in lines:
        if run and any(between in measured.executed for between in range(run[-1] + 1, line)):
            yield tuple(run)
            run = []
        run.append(line)
    if run:
        yield tuple(run)
