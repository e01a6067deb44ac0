"""Calls, restarts, start-up, limits and settings of the supervisor."""

from __future__ import annotations

import os
import select

import pytest

from fuzz.contain.errors import ContainmentError
from fuzz.contain.outcome import Fate
from fuzz.contain.supervisor import Supervisor


def test_a_call_returns_what_the_entry_returned(obedient: Supervisor) -> None:
    outcome = obedient.call(b"echo hello")
    assert (outcome.fate, outcome.reply) == (Fate.COMPLETED, b"hello")
    assert outcome.seconds > 0


def test_calls_run_in_one_worker_until_it_has_to_be_replaced(obedient: Supervisor) -> None:
    first = obedient.call(b"pid").reply
    assert obedient.call(b"pid").reply == first != str(os.getpid()).encode()
    obedient.call(b"crash")
    assert obedient.call(b"pid").reply != first
    assert obedient.restarts == 1


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 64 << 20])
def test_payload_and_reply_may_have_any_size(obedient: Supervisor, size: int) -> None:
    content = os.urandom(min(size, 1 << 20)) * max(1, size >> 20)
    assert obedient.call(b"echo " + content).reply == content
    assert len(obedient.call(b"big %d" % size).reply or b"") == size
    assert obedient.call(b"echo small again").reply == b"small again"


def test_a_reply_may_be_any_bytes_like_object_and_nothing_else(obedient: Supervisor) -> None:
    assert obedient.call(b"view x").reply == b"x"
    outcome = obedient.call(b"number")
    assert outcome.fate is Fate.RAISED
    assert outcome.message == "the callable made by 'contained_entries:make' returned int; it must return bytes"


def test_an_exception_whose_text_cannot_be_had_is_still_reported(obedient: Supervisor) -> None:
    outcome = obedient.call(b"raise-unprintable")
    assert (outcome.fate, outcome.error_type) == (Fate.RAISED, "contained_entries.UnprintableError")


def test_the_deadline_can_be_set_for_one_call(obedient: Supervisor) -> None:
    assert obedient.call(b"sleep 5", deadline=0.1).fate is Fate.HUNG
    assert obedient.call(b"sleep 0.2").fate is Fate.COMPLETED


def test_output_belongs_to_the_call_that_wrote_it(obedient: Supervisor) -> None:
    assert obedient.call(b"write earlier").output_tail == ""
    assert obedient.call(b"print-and-crash guilty").output_tail.startswith("guilty\n")


def test_shared_memory_is_seen_on_both_sides_and_outlives_a_killed_worker(obedient: Supervisor) -> None:
    obedient.shared[63] = 9
    seen = obedient.call(b"share abc").reply
    assert seen is not None
    assert (seen[:3], seen[63]) == (b"abc", 9)
    assert obedient.call(b"share-and-crash xyz").fate is Fate.CRASHED
    assert bytes(obedient.shared[:3]) == b"xyz"


def test_what_a_spare_does_while_it_starts_is_not_seen_in_shared_memory() -> None:
    with Supervisor("contained_entries:make", b"touch-shared", shared=8) as supervisor:
        supervisor.call(b"echo")
        supervisor.call(b"crash")
        supervisor.call(b"echo")
        assert bytes(supervisor.shared) == bytes(8)


def test_a_forked_child_that_comes_back_does_not_answer_for_its_parent(obedient: Supervisor) -> None:
    assert obedient.call(b"fork-and-return").reply == b"parent"
    for number in range(5):
        assert obedient.call(b"echo %d" % number).reply == b"%d" % number


def test_a_worker_that_ended_between_calls_is_a_note_of_the_next_call(obedient: Supervisor) -> None:
    worker = int(obedient.call(b"pid").reply or b"0")
    assert obedient.call(b"end-later").fate is Fate.COMPLETED
    _wait_for_end(worker)
    outcome = obedient.call(b"echo innocent")
    assert (outcome.fate, outcome.reply) == (Fate.COMPLETED, b"innocent")
    assert "ended between two calls: crashed" in outcome.notes[0]


def test_a_killed_zygote_is_replaced(obedient: Supervisor) -> None:
    outcome = obedient.call(b"kill-the-zygote")
    assert outcome.fate is Fate.KILLED
    assert "zygote" in outcome.notes[0]
    assert obedient.call(b"echo alive").reply == b"alive"


def test_leaked_descriptors_and_threads_are_notes_said_once(obedient: Supervisor) -> None:
    assert "/dev/null" in obedient.call(b"keep-open").notes[0]
    assert "2 threads" in obedient.call(b"keep-thread").notes[0]
    assert obedient.call(b"echo").notes == ()


def test_a_device_error_retires_the_worker(obedient: Supervisor) -> None:
    worker = obedient.call(b"pid").reply
    assert obedient.call(b"fail-like-a-device").fate is Fate.RAISED
    assert obedient.call(b"pid").reply != worker


def test_the_environment_is_handed_to_workers() -> None:
    with Supervisor("contained_entries:make", environment={"INFERFUZZ_TEST": "here"}) as supervisor:
        assert supervisor.call(b"environment INFERFUZZ_TEST").reply == b"here"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this platform cannot pin a process to a core")
def test_a_pinned_pair_shares_one_core_and_the_caller_is_freed_at_the_end() -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    with Supervisor("contained_entries:make", core=core) as supervisor:
        assert os.sched_getaffinity(0) == {core}
        assert supervisor.call(b"core").reply == str({core}).encode()
    assert os.sched_getaffinity(0) == before


def test_a_start_that_raises_is_the_outcome_of_the_call() -> None:
    with Supervisor("contained_entries:raise_at_start") as supervisor:
        for _ in range(2):
            outcome = supervisor.call(b"")
            assert outcome.during_start
            assert (outcome.fate, outcome.message) == (Fate.RAISED, "the model folder is damaged")


def test_a_start_that_hangs_ends_at_its_own_deadline() -> None:
    with Supervisor("contained_entries:hang_at_start", start_deadline=0.3) as supervisor:
        outcome = supervisor.call(b"")
        assert (outcome.fate, outcome.during_start) == (Fate.HUNG, True)


def test_a_start_that_crashes_is_told_from_a_call_that_crashes() -> None:
    with Supervisor("targets.faults.entry:make", b"sigsegv") as supervisor:
        outcome = supervisor.call(b"")
        assert (outcome.fate, outcome.during_start) == (Fate.CRASHED, True)


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("contained_entries", "is not of the form 'module:function'"),
        ("contained_entries:missing", "has no callable 'missing'"),
        ("contained_entries:make_nothing", "must return a callable"),
        ("no_such_module:make", "No module named 'no_such_module'"),
    ],
)
def test_a_wrong_entry_is_named_in_the_outcome(entry: str, text: str) -> None:
    with Supervisor(entry) as supervisor:
        outcome = supervisor.call(b"")
        assert outcome.during_start
        assert text in outcome.message


@pytest.mark.parametrize(
    ("module", "reason"),
    [("no_such_module", "ModuleNotFoundError"), ("broken_import", "ZeroDivisionError"), ("ending_import", "status 5")],
)
def test_an_import_that_fails_is_an_error_that_names_module_and_reason(module: str, reason: str) -> None:
    with pytest.raises(ContainmentError, match=f"(?s){module}.*{reason}"):
        Supervisor("contained_entries:make", imports=(module,))


def test_a_closed_supervisor_says_so() -> None:
    supervisor = Supervisor("contained_entries:make")
    supervisor.close()
    supervisor.close()
    with pytest.raises(ContainmentError, match="closed"):
        supervisor.call(b"echo")


def _wait_for_end(pid: int) -> None:
    fd = os.pidfd_open(pid)
    assert select.select([fd], [], [], 10)[0]
    os.close(fd)


def test_a_renewed_worker_is_a_fresh_one(obedient: Supervisor) -> None:
    obedient.renew()
    first = obedient.call(b"pid").reply
    obedient.renew()
    assert obedient.call(b"pid").reply not in (first, None)
