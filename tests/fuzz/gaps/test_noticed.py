"""The log of what noticed which mutant, and the order in which cases and properties are tried by it."""

from __future__ import annotations

from pathlib import Path

from fuzz.gaps.mutation import noticed
from fuzz.gaps.mutation.noticed import OBSERVED, QUICK, STRONG, Notice, attempts, ordered

F, G, OTHER = "p.a.x_f__mutmut_{}", "p.a.x_g__mutmut_{}", "p.b.x_h__mutmut_{}"

CODES = [f"P{number}" for number in range(STRONG + 2)]


def by_mutant(*notices: Notice) -> dict[str, Notice]:
    return {notice.mutant: notice for notice in notices}


def test_a_log_keeps_the_last_notice_of_each_mutant_and_passes_over_a_torn_line(tmp_path: Path) -> None:
    for notice in (Notice(F.format(1), "one"), Notice(F.format(2), "two"), Notice(F.format(1), "three", ("P3",))):
        noticed.note(tmp_path, notice)
    with (tmp_path / noticed.LOG).open("a") as log:
        log.write('["p.a.x_')
    expected = by_mutant(Notice(F.format(1), "three", ("P3",)), Notice(F.format(2), "two"))
    assert noticed.read(tmp_path) == expected
    noticed.compact(tmp_path)
    assert noticed.read(tmp_path) == expected
    assert len((tmp_path / noticed.LOG).read_bytes().splitlines()) == 2


def test_a_case_that_noticed_the_function_comes_before_one_of_the_module_and_one_of_elsewhere() -> None:
    notices = by_mutant(
        Notice(OTHER.format(1), "far"),
        Notice(OTHER.format(2), "far"),
        Notice(G.format(1), "near"),
        Notice(F.format(1), "same"),
    )
    assert ordered(F.format(9), ["unknown", "far", "near", "same"], notices, {}) == ["same", "near", "far", "unknown"]


def test_of_two_cases_that_notice_as_much_the_cheaper_one_comes_first() -> None:
    notices = by_mutant(Notice(F.format(1), "dear"), Notice(F.format(2), "cheap"))
    assert ordered(F.format(9), ["dear", "cheap"], notices, {"dear": 1.0, "cheap": 0.1}) == ["cheap", "dear"]


def everywhere(cases: list[str], codes: list[str]) -> dict[str, list[str]]:
    return {case: [OBSERVED, *codes] for case in cases}


def test_what_noticed_a_mutant_before_is_tried_first() -> None:
    notices = by_mutant(Notice(F.format(1), "b", ("P9",)), Notice(F.format(2), "a"), Notice(F.format(3), "a"))
    assert next(attempts(F.format(1), everywhere(["a", "b"], ["P9"]), notices, {})) == ("b", ("P9",))


def test_every_case_is_observed_before_any_is_judged_in_full() -> None:
    tried = list(attempts(F.format(1), everywhere(["a", "b"], CODES), {}, {}))
    assert tried[:2] == [("a", ()), ("b", ())]
    assert [case for case, _ in tried] == ["a", "b"] * 3


def test_every_property_is_tried_on_every_case_the_strongest_first() -> None:
    tried = list(attempts(F.format(1), everywhere(["a", "b"], CODES), by_mutant(Notice(F.format(2), "a", ("P7",))), {}))
    assert {(case, code) for case, some in tried for code in some} == {(case, code) for case in "ab" for code in CODES}
    assert tried[2][1][0] == "P7"


def test_what_does_not_execute_the_function_is_not_tried() -> None:
    reached = {"a": [OBSERVED], "b": ["P3", "P4"], "c": ["P4"]}
    assert list(attempts(F.format(1), reached, {}, {})) == [("a", ()), ("b", ("P3", "P4")), ("c", ("P4",))]


def test_a_quick_search_observes_every_case_and_judges_by_the_most_promising_ones() -> None:
    cases = [f"case {number}" for number in range(20)]
    notices = by_mutant(Notice(F.format(2), "case 7"))
    tried = list(attempts(F.format(1), everywhere(cases, CODES), notices, {}, quick=True))
    assert [case for case, some in tried if not some] == ordered(F.format(1), cases, notices, {})
    assert [len([case for case, some in tried if code in some]) for code in (CODES[0], CODES[-1])] == [*QUICK]
    assert tried[len(cases)][0] == "case 7"
