"""In-process calls, which mutation testing needs."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from fuzz.contain.errors import ContainmentError
from fuzz.contain.outcome import Fate
from fuzz.contain.supervisor import Supervisor


@pytest.fixture
def inline() -> Iterator[Supervisor]:
    with Supervisor("contained_entries:make", inline=True, shared=8) as supervisor:
        yield supervisor


def test_an_inline_call_runs_in_this_process(inline: Supervisor) -> None:
    assert inline.call(b"pid").reply == b"%d" % os.getpid()


def test_a_mutant_under_test_is_called_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUTANT_UNDER_TEST", "targets.x__mutmut_1")
    with Supervisor("contained_entries:make") as supervisor:
        assert supervisor.call(b"pid").reply == b"%d" % os.getpid()
        monkeypatch.delenv("MUTANT_UNDER_TEST")


def test_a_running_supervisor_heeds_a_mutant_that_comes_later(
    obedient: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert obedient.call(b"pid").reply != b"%d" % os.getpid()
    monkeypatch.setenv("MUTANT_UNDER_TEST", "targets.x__mutmut_1")
    assert obedient.call(b"pid").reply == b"%d" % os.getpid()


def test_inline_exceptions_and_exits_are_outcomes(inline: Supervisor) -> None:
    assert inline.call(b"raise-unprintable").fate is Fate.RAISED
    assert inline.call(b"number").message.endswith("it must return bytes")
    with Supervisor("targets.faults.entry:make", inline=True) as faulty:
        assert faulty.call(b"panic").fate is Fate.PANICKED
        assert faulty.call(b"sys-exit").exit_code == 3


def test_an_inline_start_that_fails_is_marked(inline: Supervisor) -> None:
    with Supervisor("contained_entries:raise_at_start", inline=True) as supervisor:
        assert supervisor.call(b"").during_start
    assert not inline.call(b"raise-unprintable").during_start


def test_an_inline_import_that_fails_is_named() -> None:
    with pytest.raises(ContainmentError, match="broken_import"):
        Supervisor("contained_entries:make", inline=True, imports=("broken_import",))


def test_inline_loops_and_shared_memory_work_alike(inline: Supervisor) -> None:
    assert inline.loop(b"loop 10").reply == b"10 cases"
    assert inline.loop(b"loop 7 raise-unprintable").case == b"case 6"
    inline.call(b"share abc")
    assert bytes(inline.shared[:3]) == b"abc"
