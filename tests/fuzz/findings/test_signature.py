from __future__ import annotations

from fuzz.contain.outcome import Fate, Outcome
from fuzz.findings.signature import identity, is_ours, outcome_signature

TRACEBACK = """Traceback (most recent call last):
  File "/x/fuzz/judge.py", line 3, in judge
  File "/x/engine/scheduler.py", line 40, in step
  File "/x/engine/blocks.py", line 12, in allocate
  File "/usr/lib/python3.11/heapq.py", line 1, in heappop
IndexError: pop from empty list
"""
DUMP = """Current thread 0x00007f (most recent call first):
  File "/x/engine/blocks.py", line 12 in free
  File "/x/engine/scheduler.py", line 40 in step
  File "/x/fuzz/lab/lab.py", line 3 in record
"""


def test_an_exception_is_named_by_type_and_the_innermost_frame_of_the_target() -> None:
    outcome = Outcome(fate=Fate.RAISED, error_type="builtins.IndexError", stack=TRACEBACK)
    assert outcome_signature(outcome) == "raised/IndexError/blocks.py:allocate"


OWN = """Traceback (most recent call last):
  File "/x/fuzz/judge.py", line 3, in judge
  File "/x/fuzz/properties/servers/isolation.py", line 40, in check_isolation
  File "/x/targets/http/case.py", line 12, in __post_init__
ValueError: a case has at least one exchange
"""


def test_an_error_that_only_what_judges_had_a_part_in_is_ours() -> None:
    assert is_ours(Outcome(fate=Fate.RAISED, error_type="builtins.ValueError", stack=OWN))
    assert not is_ours(Outcome(fate=Fate.RAISED, error_type="builtins.IndexError", stack=TRACEBACK))


def test_an_error_in_a_package_that_is_no_part_of_python_is_not_ours() -> None:
    called = OWN.replace("/x/targets/http/case.py", "/x/lib/python3/site-packages/engine/step.py")
    assert not is_ours(Outcome(fate=Fate.RAISED, error_type="builtins.ValueError", stack=called))


def test_a_crash_or_an_error_without_a_stack_is_not_ours() -> None:
    assert not is_ours(Outcome(fate=Fate.CRASHED, signal=11, stack=OWN))
    assert not is_ours(Outcome(fate=Fate.RAISED, error_type="builtins.ValueError"))


def test_a_crash_is_named_by_signal_and_innermost_frame() -> None:
    outcome = Outcome(fate=Fate.CRASHED, signal=11, stack=DUMP)
    assert outcome_signature(outcome) == "crashed/SIGSEGV/blocks.py:free"


def test_a_hang_is_named_by_the_call_that_never_returned() -> None:
    outcome = Outcome(fate=Fate.HUNG, stack=DUMP)
    assert outcome_signature(outcome) == "hung/scheduler.py:step"


def test_an_exit_is_named_by_its_code() -> None:
    assert outcome_signature(Outcome(fate=Fate.EXITED, exit_code=0)) == "exited/exit-0"


def test_the_identity_depends_on_target_and_signature_alone() -> None:
    assert identity("a", "P1/x") == identity("a", "P1/x")
    assert identity("a", "P1/x") != identity("b", "P1/x")
