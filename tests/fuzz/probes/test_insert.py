from __future__ import annotations

import ast
import textwrap
from typing import Any

import pytest

from fuzz.probes.arms import ArmKind
from fuzz.probes.insert import insert_probes
from fuzz.probes.nodes import namespace


def probed(source: str) -> tuple[dict[str, Any], bytearray, dict[tuple[int, ArmKind], int]]:
    """Globals of the probed source, its map, and (line, kind) to the number of each arm."""
    tree = ast.parse(textwrap.dedent(source))
    arms = insert_probes(tree, 0)
    probes = bytearray(len(arms))
    scope: dict[str, Any] = namespace(memoryview(probes))
    exec(compile(tree, "source.py", "exec"), scope)
    return scope, probes, {(arm.line, arm.kind): number for number, arm in enumerate(arms)}


def reached(source: str, *arguments: object) -> set[tuple[int, ArmKind]]:
    """The arms that a call of the source's function `f` passes."""
    scope, probes, numbers = probed(source)
    scope["f"](*arguments)
    return {place for place, number in numbers.items() if probes[number]}


def test_either_side_of_an_if_is_an_arm() -> None:
    source = """\
    def f(x):
        if x:
            y = 1
        else:
            y = 2
        return y
    """
    assert reached(source, True) == {(3, ArmKind.IF)}
    assert reached(source, False) == {(5, ArmKind.ELSE)}


def test_an_if_without_else_has_an_implicit_one() -> None:
    source = """\
    def f(x):
        if x:
            x = 0
    """
    assert reached(source, 0) == {(2, ArmKind.ELSE)}


def test_the_arms_of_an_elif_chain_tell_the_cases_apart() -> None:
    source = """\
    def f(x):
        if x == 1:
            return 1
        elif x == 2:
            return 2
        return 3
    """
    assert reached(source, 1) == {(3, ArmKind.IF)}
    assert reached(source, 2) == {(5, ArmKind.IF)}
    assert reached(source, 3) == {(4, ArmKind.ELSE)}


def test_each_operand_of_an_and_decides_in_an_arm_of_its_own() -> None:
    source = """\
    def f(a, b):
        if (a and
            b):
            return 1
        return 0
    """
    assert reached(source, 0, 1) == {(2, ArmKind.ELSE)}
    assert reached(source, 1, 0) == {(3, ArmKind.ELSE)}
    assert reached(source, 1, 1) == {(4, ArmKind.IF)}


def test_each_operand_of_an_or_leads_to_an_arm_of_its_own() -> None:
    scope, probes, _ = probed("def f(a, b):\n    if a or b:\n        return 1\n    return 0\n")
    maps = []
    for arguments in ((1, 0), (0, 1), (0, 0)):
        probes[:] = bytes(len(probes))
        scope["f"](*arguments)
        maps.append(bytes(probes))
    assert len(set(maps)) == 3


def test_leaving_a_loop_by_break_differs_from_exhausting_it() -> None:
    source = """\
    def f(items):
        for item in items:
            if item:
                break
    """
    assert reached(source, [0, 1]) == {(3, ArmKind.ELSE), (4, ArmKind.IF)}
    assert reached(source, [0]) == {(3, ArmKind.ELSE), (2, ArmKind.LOOP_END)}


def test_handlers_and_undisturbed_tries_are_arms() -> None:
    source = """\
    def f(x):
        try:
            return_value = 1 // x
        except ZeroDivisionError:
            return_value = 0
        return return_value
    """
    assert (5, ArmKind.EXCEPT) in reached(source, 0)
    assert (2, ArmKind.NO_EXCEPTION) in reached(source, 1)


def test_a_match_without_a_fitting_case_is_an_arm() -> None:
    source = """\
    def f(x):
        match x:
            case 1:
                return "one"
            case int() if x > 5:
                return "many"
    """
    assert reached(source, 1) == {(4, ArmKind.CASE)}
    assert reached(source, 9) == {(6, ArmKind.CASE)}
    assert reached(source, 3) == {(2, ArmKind.NO_CASE)}


def test_the_values_of_a_ternary_are_arms() -> None:
    assert (1, ArmKind.THEN) in reached("def f(x): return 'a' if x else 'b'", True)
    assert (1, ArmKind.OTHERWISE) in reached("def f(x): return 'a' if x else 'b'", False)


def test_a_kept_element_of_a_comprehension_is_an_arm() -> None:
    source = "def f(xs): return [x for x in xs if x > 1]"
    assert (1, ArmKind.KEPT) in reached(source, [2])
    assert (1, ArmKind.KEPT) not in reached(source, [1])


def test_entering_a_function_without_decisions_is_an_arm() -> None:
    assert reached("def f():\n    return 1\n") == {(2, ArmKind.FUNCTION)}


def test_a_block_that_always_decides_has_no_probe_of_its_own() -> None:
    _, _, numbers = probed("def f(x):\n    if x:\n        return 1\n    return 2\n")
    assert {kind for _, kind in numbers} == {ArmKind.IF, ArmKind.ELSE}


@pytest.mark.parametrize(("times", "count"), [(3, 3), (255, 255), (1000, 255)])
def test_counts_saturate(times: int, count: int) -> None:
    scope, probes, numbers = probed("def f(n):\n    for i in range(n):\n        if n:\n            pass\n")
    scope["f"](times)
    assert probes[numbers[4, ArmKind.IF]] == count


def test_a_probed_program_computes_the_same() -> None:
    source = """\
    '''Module text.'''
    from __future__ import annotations

    class Box:
        '''Class text.'''
        size: int if True else str = 3 if 1 else 4

        @property
        def double(self) -> int:
            '''Property text.'''
            return self.size * 2

        def __secret(self):
            if self.size and self.double: return "secret"

        def tell(self):
            return self.__secret()

    def f(n: int if n else str = 1):
        '''Function text.'''
        found = []
        while n and (n := n - 1):
            if n % 7 == 0 or n % 5 == 0: continue
            found += [x for x in range(n) if (y := x % 3) if y == 1][-2:]
            if n > 90 and n % 2:
                break
        else:
            found.append(None or "end")
        try:
            found.append(found[0] and {}.get("a") or [1 if i else 0 for i in range(3)])
        except* ValueError:
            pass
        finally:
            found.append(Box().tell())
        return found, f"{n or 'zero'=}", (lambda q: q if q else -q)(0), f.__annotations__, Box.__annotations__
    """
    plain: dict[str, Any] = {}
    exec(compile(textwrap.dedent(source), "source.py", "exec"), plain)
    scope, _, _ = probed(source)
    for n in (0, 1, 2, 40, 95, 99):
        assert scope["f"](n) == plain["f"](n)
    for text in ("__doc__",):
        assert scope[text] == plain[text]
    assert scope["f"].__doc__ == "Function text."
    assert scope["Box"].double.__doc__ == "Property text."


def test_a_traceback_shows_the_lines_of_the_source() -> None:
    source = "def f(x):\n    if x and x > 1:\n        y = 1\n    for _ in range(2):\n        x = [0][x]\n    return y\n"
    scope, _, _ = probed(source)
    with pytest.raises(IndexError) as caught:
        scope["f"](5)
    assert caught.traceback[-1].lineno + 1 == 5
