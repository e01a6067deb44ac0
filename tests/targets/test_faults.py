"""The registry of faults; what each does to a process is in tests/fuzz/contain/test_fates.py."""

from __future__ import annotations

import pytest

from fuzz.contain.outcome import Fate
from targets.errors import UsageError
from targets.faults import FAULTS, Fault, commit, find


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_a_fault_expects_a_fate_that_containment_knows(fault: Fault) -> None:
    assert fault.fate in set(Fate)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_the_name_tells_the_language(fault: Fault) -> None:
    assert fault.language == ("c" if fault.name.endswith("-c") else "python")


def test_an_unknown_fault_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="Did you mean 'sigsegv'"):
        find("sigsev")


def test_a_fault_that_raises_can_be_committed_in_this_process() -> None:
    with pytest.raises(ValueError, match="on purpose"):
        commit("exception")
    with pytest.raises(SystemExit):
        commit("sys-exit")


def test_a_fault_made_for_another_machine_is_not_available() -> None:
    assert not Fault("x", "c", "crashed", int, machines=("pdp11",)).available()
    assert not Fault("x", "c", "crashed", int, requires=("no_such_module",)).available()
