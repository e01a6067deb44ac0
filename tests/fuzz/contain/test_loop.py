"""Loops inside the worker: the parent learns the guilty case from the flight recorder alone."""

from __future__ import annotations

import pytest

from fuzz.contain.outcome import Fate
from fuzz.contain.supervisor import Supervisor


def test_a_loop_that_ends_returns_its_reply(obedient: Supervisor) -> None:
    outcome = obedient.loop(b"loop 1000")
    assert (outcome.fate, outcome.reply, outcome.case) == (Fate.COMPLETED, b"1000 cases", None)
    assert obedient.in_flight == b"case 999"


@pytest.mark.parametrize(
    ("verb", "fate"), [("crash", Fate.CRASHED), ("sleep", Fate.HUNG), ("raise-unprintable", Fate.RAISED)]
)
def test_the_guilty_case_of_a_loop_is_found(obedient: Supervisor, verb: str, fate: Fate) -> None:
    outcome = obedient.loop(b"loop 500 " + verb.encode(), deadline=0.3)
    assert (outcome.fate, outcome.case) == (fate, b"case 499")
    assert obedient.in_flight == b"case 499"
    assert obedient.call(b"echo next").reply == b"next"


def test_a_loop_may_run_longer_than_the_deadline_of_one_case(obedient: Supervisor) -> None:
    outcome = obedient.loop(b"slow-loop 20", deadline=0.5)
    assert outcome.fate is Fate.COMPLETED
    assert outcome.seconds > 0.5


def test_a_pause_between_two_cases_has_the_deadline_too(obedient: Supervisor) -> None:
    assert obedient.loop(b"loop 3 between", deadline=0.2).fate is Fate.HUNG


def test_a_loop_that_never_records_a_case_has_the_deadline(obedient: Supervisor) -> None:
    outcome = obedient.loop(b"sleep 60", deadline=0.2)
    assert (outcome.fate, outcome.case) == (Fate.HUNG, b"")
