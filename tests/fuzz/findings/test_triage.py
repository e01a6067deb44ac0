from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec
import pytest

from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines.model import Case, Trial
from fuzz.findings.confirm import CONFIRMATIONS, REPLAYS
from fuzz.findings.triage import FLAKY_CASES, Context, Triage
from fuzz.properties.model import Verdict, Violation

CONTEXT = Context(target="t", device="cpu", dtype="float32", engine="guided", seed=1, versions={})


class Numbers(msgspec.Struct, frozen=True, tag="numbers"):
    """A case that shrinks by dropping numbers."""

    values: tuple[int, ...]


def simplify(case: Case) -> Iterator[Case]:
    assert isinstance(case, Numbers)
    for position in range(len(case.values)):
        yield Numbers(case.values[:position] + case.values[position + 1 :])


class FakeBench:
    """Judges numbers by a function from values to signatures; counts fresh workers."""

    def __init__(self, rule: Callable[[tuple[int, ...]], tuple[str, ...]]) -> None:
        self.rule = rule
        self.renewed = 0

    def judge(self, case: Case, codes: tuple[str, ...] | None, *, hasty: bool = False) -> Trial:
        assert isinstance(case, Numbers)
        shown = [item.split("/") for item in self.rule(case.values)]
        violations = tuple(
            Violation(
                code=code,
                slug=slug,
                message=f"{code} broke",
                cause="".join(cause),
                variant="".join(map(str, case.values)),
                derived=slug.startswith("asking"),
            )
            for code, slug, *cause in shown
            if codes is None or code in codes
        )
        return Trial(case, Outcome(fate=Fate.COMPLETED, reply=b""), Verdict(violations=violations), codes)

    def renew(self, *, thorough: bool = False) -> None:
        self.renewed += 1


def triage_of(rule: Callable[[tuple[int, ...]], tuple[str, ...]]) -> tuple[Triage, FakeBench]:
    bench = FakeBench(rule)
    decode: Callable[[bytes], Case] = lambda data: msgspec.json.decode(data, type=Numbers)  # noqa: E731
    return Triage(bench, simplify, decode, CONTEXT), bench


def values_of(case: Case) -> tuple[int, ...]:
    assert isinstance(case, Numbers)
    return case.values


def take(triage: Triage, bench: FakeBench, *values: int, seconds: float = 5.0) -> str | None:
    failed = bench.judge(Numbers(values), None)
    findings = list(triage.take(failed, executions=1, seconds=0.0, until=time.monotonic() + seconds))
    return findings[-1].id if findings else None


def test_a_failure_is_shrunk_to_what_it_needs() -> None:
    triage, bench = triage_of(lambda values: ("P1/seven",) if 7 in values else ())
    take(triage, bench, 1, 7, 2, 3)
    (finding,) = triage.findings.values()
    assert msgspec.json.decode(finding.case)["values"] == [7]
    assert msgspec.json.decode(finding.original)["values"] == [1, 7, 2, 3]
    assert finding.shrink_steps == 3


def test_a_second_failure_of_the_same_kind_is_a_duplicate() -> None:
    triage, bench = triage_of(lambda values: ("P1/seven",) if 7 in values else ())
    take(triage, bench, 7)
    assert take(triage, bench, 1, 7) is None
    assert [finding.duplicates for finding in triage.findings.values()] == [1]


def test_violations_that_the_shrunk_case_shows_together_are_one_finding() -> None:
    triage, bench = triage_of(lambda values: ("P1/seven", "P2/seven") if 7 in values else ())
    take(triage, bench, 7, 1)
    (finding,) = triage.findings.values()
    assert finding.also == ("P2/seven",)
    assert take(triage, bench, 7, 2) is None


def test_a_new_kind_joins_the_finding_whose_kind_its_shrunk_case_shows_too() -> None:
    def rule(values: tuple[int, ...]) -> tuple[str, ...]:
        shown = ("P1/seven",) if 7 in values else ()
        return (*shown, "P2/pair") if 7 in values and 8 in values else shown

    triage, bench = triage_of(rule)
    first = take(triage, bench, 7)
    assert take(triage, bench, 7, 8) == first
    assert len(triage.findings) == 1


def test_a_new_kind_joins_the_finding_that_shows_beside_it_if_it_shows_beside_that_one() -> None:
    triage, bench = triage_of(lambda values: ("P1/seven",) if values == (7,) else ("P2/eight",) if 8 in values else ())
    triage.neighbours = lambda case: iter([Numbers((15 - values_of(case)[0],))])
    first = take(triage, bench, 7)
    assert take(triage, bench, 8) == first
    (finding,) = triage.findings.values()
    assert finding.also == ("P2/eight",)


def test_what_any_case_shows_when_a_property_asks_for_more_makes_no_two_findings_one() -> None:
    def rule(values: tuple[int, ...]) -> tuple[str, ...]:
        return (*(("P1/seven",) if 7 in values else ()), "P2/asking-null", "P2/asking-zero")

    triage, bench = triage_of(rule)
    asking = take(triage, bench, 1)
    assert take(triage, bench, 7) != asking
    assert sorted((finding.signature, finding.also) for finding in triage.findings.values()) == [
        ("P1/seven", ()),
        ("P2/asking-null", ("P2/asking-zero",)),
    ]


def test_the_cause_of_a_finding_that_was_merged_leads_to_the_one_that_took_it_up() -> None:
    def rule(values: tuple[int, ...]) -> tuple[str, ...]:
        shown = ("P1/seven",) if 7 in values else ()
        if 9 in values:
            return ("P3/nine/cause",)
        return (*shown, "P2/pair/cause") if 7 in values and 8 in values else shown

    triage, bench = triage_of(rule)
    first = take(triage, bench, 7)
    take(triage, bench, 7, 8)
    assert take(triage, bench, 9) is None
    assert [(finding.id, finding.duplicates) for finding in triage.findings.values()] == [(first, 2)]


def test_failures_that_never_meet_are_two_findings() -> None:
    def rule(values: tuple[int, ...]) -> tuple[str, ...]:
        return ("P1/seven",) * (7 in values) + ("P2/eight",) * (8 in values)

    triage, bench = triage_of(rule)
    assert take(triage, bench, 7) != take(triage, bench, 8)
    assert len(triage.findings) == 2


def test_a_failure_is_confirmed_in_fresh_workers_before_it_is_shrunk_and_more_often_afterwards() -> None:
    triage, bench = triage_of(lambda values: ("P1/seven",) if 7 in values else ())
    failed = bench.judge(Numbers((7,)), None)
    _, confirmed, shrunk = triage.take(failed, executions=1, seconds=0.0, until=time.monotonic() + 5)
    assert confirmed.confirmation.attempts == confirmed.confirmation.repeated == CONFIRMATIONS
    assert shrunk.confirmation.attempts == shrunk.confirmation.repeated == REPLAYS
    assert bench.renewed >= CONFIRMATIONS + REPLAYS


def test_what_misses_one_of_many_replays_is_shrunk_but_kept_as_flaky_with_the_best_rate() -> None:
    replays: dict[tuple[int, ...], int] = {}

    def rule(values: tuple[int, ...]) -> tuple[str, ...]:
        """Without the 1 it fails seven times, with it nine times, confirmation and shrinking included."""
        replays[values] = replays.get(values, 0) + 1
        return ("P1/luck",) if 7 in values and replays[values] <= (9 if 1 in values else 7) else ()

    triage, bench = triage_of(rule)
    take(triage, bench, 1, 7)
    (finding,) = triage.findings.values()
    assert msgspec.json.decode(finding.case)["values"] == [7]
    assert (finding.confirmation.repeated, finding.confirmation.attempts) == (5, 6)


def test_a_failure_that_does_not_repeat_is_kept_apart_with_its_rate() -> None:
    turns = iter([True, False, True] + [False] * 20)
    triage, bench = triage_of(lambda _values: ("P1/luck",) if next(turns) else ())
    take(triage, bench, 1, 2)
    (finding,) = triage.findings.values()
    assert finding.confirmation.flaky
    assert (finding.confirmation.repeated, finding.confirmation.attempts) == (1, REPLAYS)
    assert msgspec.json.decode(finding.case)["values"] == [1, 2]


def test_a_failure_that_did_not_repeat_does_not_hide_a_case_that_does() -> None:
    turns = iter([True] + [False] * REPLAYS)
    triage, bench = triage_of(lambda values: ("P1/luck",) if 7 in values or next(turns, False) else ())
    take(triage, bench, 1, 2)
    take(triage, bench, 7)
    (finding,) = triage.findings.values()
    assert not finding.confirmation.flaky
    assert msgspec.json.decode(finding.case)["values"] == [7]
    assert finding.duplicates == 1


def test_a_failure_that_did_not_repeat_is_part_of_a_later_one_that_does_and_has_its_cause() -> None:
    turns = iter([True] + [False] * REPLAYS)
    rule = lambda values: ("P2/leak/lost",) if 7 in values else ("P1/luck/lost",) if next(turns, False) else ()  # noqa: E731
    triage, bench = triage_of(rule)
    take(triage, bench, 1, 2)
    take(triage, bench, 7)
    (finding,) = triage.findings.values()
    assert (finding.signature, finding.also) == ("P2/leak", ("P1/luck",))
    assert not finding.confirmation.flaky


def test_a_failure_that_does_not_repeat_is_part_of_one_that_does_when_each_shows_beside_the_other() -> None:
    turns = iter([True] + [False] * REPLAYS)

    def rule(values: tuple[int, ...]) -> tuple[str, ...]:
        return ("P2/eight",) if 8 in values else ("P1/luck",) if next(turns, True) else ()

    triage, bench = triage_of(rule)
    triage.neighbours = lambda case: iter([Numbers((8,) if 8 not in values_of(case) else (7,))])
    take(triage, bench, 7)
    assert next(iter(triage.findings.values())).confirmation.flaky
    take(triage, bench, 8)
    (finding,) = triage.findings.values()
    assert (finding.signature, finding.also) == ("P2/eight", ("P1/luck",))


@pytest.mark.parametrize("flaky_first", [True, False])
def test_a_failure_that_does_not_repeat_is_part_of_one_that_does_and_shows_in_its_case_too(flaky_first: bool) -> None:
    luck = [False]

    def rule(values: tuple[int, ...]) -> tuple[str, ...]:
        return (*(("P1/luck",) if luck.pop() else ()), *(("P2/eight",) if 8 in values else ()))

    triage, bench = triage_of(rule)

    def flaky() -> None:
        luck[:] = [False] * 100 + [True]
        failed = bench.judge(Numbers((8, 7)), ("P1",))
        list(triage.take(failed, executions=1, seconds=0.0, until=time.monotonic() + 5))

    def sure() -> None:
        luck[:] = [False] * 300
        take(triage, bench, 8)

    for happens in (flaky, sure) if flaky_first else (sure, flaky):
        happens()
    (finding,) = triage.findings.values()
    assert (finding.signature, finding.also) == ("P2/eight", ("P1/luck",))


def test_of_a_further_case_only_is_asked_whether_it_always_repeats() -> None:
    turns = iter([True, False])
    bench_turns: list[tuple[int, ...]] = []

    def rule(values: tuple[int, ...]) -> tuple[str, ...]:
        bench_turns.append(values)
        return ("P1/luck",) if next(turns, False) else ()

    triage, bench = triage_of(rule)
    take(triage, bench, 1, 2)
    turns = iter([True])
    bench_turns.clear()
    take(triage, bench, 7)
    assert len(bench_turns) == 1 + CONFIRMATIONS
    (finding,) = triage.findings.values()
    assert finding.confirmation.attempts == REPLAYS


def test_only_so_many_further_cases_of_a_failure_that_never_repeats_are_tried() -> None:
    failing = [True]
    triage, bench = triage_of(lambda _values: ("P1/luck",) if failing.pop() else ())
    for _ in range(FLAKY_CASES + 3):
        failing[:] = [False] * REPLAYS + [True]
        take(triage, bench, 1, 2)
    (finding,) = triage.findings.values()
    assert (finding.confirmation.flaky, finding.duplicates) == (True, FLAKY_CASES + 2)
    assert len(failing) == REPLAYS


def test_a_case_that_failed_by_chance_while_shrinking_is_not_kept() -> None:
    """Without the 2 a case fails twice and never again, as where a server draws without a seed."""
    seen: dict[tuple[int, ...], int] = {}

    def rule(values: tuple[int, ...]) -> tuple[str, ...]:
        seen[values] = seen.get(values, 0) + 1
        return ("P1/seven",) if 7 in values and (2 in values or seen[values] <= 2) else ()

    triage, bench = triage_of(rule)
    take(triage, bench, 1, 7, 2, 3)
    (finding,) = triage.findings.values()

    assert {7, 2} <= set(msgspec.json.decode(finding.case)["values"])


def test_a_crash_is_shrunk_like_a_violation() -> None:
    class Crashing(FakeBench):
        def judge(self, case: Case, codes: tuple[str, ...] | None, *, hasty: bool = False) -> Trial:
            assert isinstance(case, Numbers)
            fate = Fate.CRASHED if 7 in case.values else Fate.COMPLETED
            return Trial(case, Outcome(fate=fate, signal=11 if fate is Fate.CRASHED else None), None, codes)

    bench = Crashing(lambda _values: ())
    triage = Triage(bench, simplify, lambda _data: Numbers(()), CONTEXT)
    take(triage, bench, 1, 7, 3)
    (finding,) = triage.findings.values()
    assert finding.signature == "crashed/SIGSEGV"
    assert msgspec.json.decode(finding.case)["values"] == [7]


def test_a_violation_that_another_property_provokes_is_replayed_with_that_one() -> None:
    class Watching(FakeBench):
        """P1 breaks only in the runs that P15 makes."""

        def judge(self, case: Case, codes: tuple[str, ...] | None, *, hasty: bool = False) -> Trial:
            broken = codes is None or "P15" in codes
            violations = (Violation(code="P1", slug="raised", message="m"),) if broken else ()
            return Trial(case, Outcome(fate=Fate.COMPLETED, reply=b""), Verdict(violations=violations), codes)

    bench = Watching(lambda _values: ())
    triage = Triage(bench, simplify, lambda _data: Numbers(()), CONTEXT)
    failed = bench.judge(Numbers((1,)), ("P1", "P15"))
    *_, finding = triage.take(failed, executions=1, seconds=0.0, until=time.monotonic() + 5)
    assert finding.codes == ("P1", "P15")
    assert not finding.confirmation.flaky


def test_a_finding_is_confirmed_although_shrinking_has_no_time() -> None:
    triage, bench = triage_of(lambda values: ("P1/seven",) if 7 in values else ())
    triage.shrinking = 0.0
    take(triage, bench, 1, 7)
    (finding,) = triage.findings.values()
    assert (finding.confirmation.attempts, finding.shrink_steps) == (REPLAYS, 0)


def test_a_failure_is_kept_when_there_is_no_time_to_confirm_it() -> None:
    triage, bench = triage_of(lambda values: ("P1/seven",) if 7 in values else ())
    take(triage, bench, 1, 7, seconds=-1.0)
    (finding,) = triage.findings.values()
    assert finding.confirmation.attempts == 0
    assert msgspec.json.decode(finding.case)["values"] == [1, 7]


def test_a_case_that_was_only_slow_is_no_finding() -> None:
    class Patient(FakeBench):
        def judge(self, case: Case, codes: tuple[str, ...] | None, *, hasty: bool = False) -> Trial:
            return Trial(case, Outcome(fate=Fate.HUNG if hasty else Fate.COMPLETED), None, codes)

    bench = Patient(lambda _values: ())
    triage = Triage(bench, simplify, lambda _data: Numbers(()), CONTEXT)
    slow = bench.judge(Numbers((1,)), None, hasty=True)
    assert list(triage.take(slow, executions=1, seconds=0.0, until=time.monotonic() + 5)) == []


def test_what_hangs_in_haste_is_named_by_what_breaks_when_there_is_time() -> None:
    class DeadServer(FakeBench):
        """Everything waits for the server; a judge with patience gets to say that it does not answer."""

        def judge(self, case: Case, codes: tuple[str, ...] | None, *, hasty: bool = False) -> Trial:
            if hasty:
                return Trial(case, Outcome(fate=Fate.HUNG), None, codes)
            silent = Violation(code="H3", slug="canary-late", message="no answer")
            return Trial(case, Outcome(fate=Fate.COMPLETED, reply=b""), Verdict(violations=(silent,)), codes)

    bench = DeadServer(lambda _values: ())
    triage = Triage(bench, simplify, lambda _data: Numbers(()), CONTEXT)
    hung = bench.judge(Numbers((1,)), None, hasty=True)
    first, *_ = triage.take(hung, executions=1, seconds=0.0, until=time.monotonic() + 5)
    assert first.signature == "H3/canary-late"


def test_a_hang_that_depends_on_timing_is_tried_more_than_once() -> None:
    calls = iter([False, True])

    class Racing(FakeBench):
        """Hangs in haste; with patience it breaks at the second attempt."""

        def judge(self, case: Case, codes: tuple[str, ...] | None, *, hasty: bool = False) -> Trial:
            if hasty:
                return Trial(case, Outcome(fate=Fate.HUNG), None, codes)
            silent = Violation(code="H3", slug="canary-late", message="no answer")
            found = (silent,) if next(calls, True) else ()
            return Trial(case, Outcome(fate=Fate.COMPLETED, reply=b""), Verdict(violations=found), codes)

    bench = Racing(lambda _values: ())
    triage = Triage(bench, simplify, lambda _data: Numbers(()), CONTEXT)
    hung = bench.judge(Numbers((1,)), None, hasty=True)
    first, *_ = triage.take(hung, executions=1, seconds=0.0, until=time.monotonic() + 5)
    assert first.signature == "H3/canary-late"


def test_failures_of_one_cause_are_one_finding_that_lists_how_it_was_seen() -> None:
    triage, bench = triage_of(lambda values: ("P1/seven/behind",) if 7 in values else ("P2/eight/behind",))
    take(triage, bench, 7)
    assert take(triage, bench, 8) is None
    (finding,) = triage.findings.values()
    assert (finding.signature, finding.variants, finding.duplicates) == ("P1/seven", ("7", "8"), 1)
