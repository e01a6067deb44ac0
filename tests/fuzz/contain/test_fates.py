"""Every fault has its own outcome, and the next call is served."""

from __future__ import annotations

import pytest

from fuzz.contain.outcome import EFFECTS, Fate
from fuzz.contain.supervisor import Supervisor
from targets.faults import FAULTS, Fault

HERE = [fault for fault in FAULTS.values() if fault.available() and "torch" not in fault.requires]


@pytest.mark.parametrize("fault", HERE, ids=lambda fault: fault.name)
def test_a_fault_gets_its_fate_and_the_next_call_is_served(faulty: Supervisor, fault: Fault) -> None:
    payload = fault.name.encode() + b" case"
    outcome = faulty.call(payload, deadline=0.4 if fault.fate == Fate.HUNG else 30)
    seen = (outcome.fate, outcome.signal, outcome.exit_code, outcome.error_type)
    assert seen == (Fate(fault.fate), fault.signal, fault.exit_code, fault.error_type), outcome
    assert faulty.in_flight == payload
    assert faulty.call(b" after").reply == b" after"


def test_every_fate_but_success_has_a_fault() -> None:
    assert {fault.fate for fault in FAULTS.values()} == set(Fate) - {Fate.COMPLETED}


@pytest.mark.parametrize("name", ["thread-exception", "child", "closed-stdout", "changed-state"])
def test_a_call_that_leaves_something_behind_still_has_its_reply(faulty: Supervisor, name: str) -> None:
    outcome = faulty.call(name.encode(), deadline=30)
    assert outcome.fate in EFFECTS
    assert outcome.reply == name.encode()


@pytest.mark.parametrize("name", ["loop", "lock", "sigsegv-c", "exception"])
def test_the_stack_names_the_function_at_fault_and_none_of_containment(faulty: Supervisor, name: str) -> None:
    stack = faulty.call(name.encode(), deadline=0.4 if name in ("loop", "lock") else 30).stack
    assert "targets/faults/" in stack
    assert "zygote" not in stack


def test_torch_that_runs_out_of_memory_is_told_from_other_runtime_errors() -> None:
    pytest.importorskip("torch")
    with Supervisor("targets.faults.entry:make", imports=("torch", "targets.faults.entry")) as supervisor:
        assert supervisor.call(b"memory-torch").fate is Fate.OUT_OF_MEMORY
        assert supervisor.call(b" after").fate is Fate.COMPLETED


def test_a_tolerated_effect_becomes_a_note_and_is_left_alone() -> None:
    tolerated = frozenset({Fate.LEAKED_CHILD, Fate.CHANGED_STATE})
    with Supervisor("targets.faults.entry:make", tolerated=tolerated) as supervisor:
        for name in (b"child", b"changed-state"):
            outcome = supervisor.call(name)
            assert outcome.fate is Fate.COMPLETED
            assert "tolerated" in outcome.notes[0]
            assert supervisor.call(b" again").notes == ()


def test_what_libraries_keep_for_themselves_is_no_fault(obedient: Supervisor) -> None:
    assert obedient.call(b"start-a-tracker").fate is Fate.COMPLETED
    assert obedient.call(b"start-a-tracker").fate is Fate.COMPLETED
    assert obedient.call(b"set-variable TORCHINDUCTOR_CACHE_DIR=/tmp").fate is Fate.COMPLETED
    assert obedient.call(b"environment TORCHINDUCTOR_CACHE_DIR").reply == b"/tmp"


def test_a_variable_of_the_target_itself_is_put_back(obedient: Supervisor) -> None:
    before = obedient.call(b"environment PATH").reply
    outcome = obedient.call(b"set-variable PATH=/nowhere")
    assert (outcome.fate, outcome.message) == (Fate.CHANGED_STATE, "environment variables PATH")
    assert obedient.call(b"environment PATH").reply == before
