"""What containment saw of one call: plain data, decided by the parent and never by the worker's exit code."""

from __future__ import annotations

import enum

import msgspec


class Fate(enum.StrEnum):
    """How a contained call ended. Only `COMPLETED` is clean; the group after it answered, but left something behind."""

    COMPLETED = "completed"

    LEAKED_CHILD = "leaked-child"
    """It answered, and a child process that it started was still running (ended and reaped by us)."""
    CLOSED_STDOUT = "closed-stdout"
    """It answered, and standard output or standard error was closed or replaced."""
    CHANGED_STATE = "changed-state"
    """It answered, and the working directory or the environment differs (restored by us)."""
    THREAD_RAISED = "thread-raised"
    """It answered, and an exception ended one of its threads."""

    RAISED = "raised"
    """An exception reached the caller."""
    PANICKED = "panicked"
    """A Rust panic reached the caller as PyO3's `PanicException`."""
    STACK_OVERFLOW = "stack-overflow"
    """`RecursionError`, or a fault in native code at the end of the stack."""
    OUT_OF_MEMORY = "out-of-memory"
    """`MemoryError`, or an allocator's complaint about host or device memory."""
    OUT_OF_DESCRIPTORS = "out-of-descriptors"
    """The process could not open one more file."""
    OUTPUT_FLOOD = "output-flood"
    """More output than `output_limit` bytes in one call; the rest was refused."""
    EXITED = "exited"
    """`sys.exit` (`error_type` is `SystemExit`), or the process ended itself: `os._exit`, C `exit`."""
    CRASHED = "crashed"
    """A signal that native code raised ended the process; `signal` says which."""
    KILLED = "killed"
    """SIGKILL or SIGTERM from outside; nobody here sent it. The kernel's memory killer is the usual sender."""
    HUNG = "hung"
    """No answer before the deadline; the whole process group was ended."""


EFFECTS = frozenset({Fate.LEAKED_CHILD, Fate.CLOSED_STDOUT, Fate.CHANGED_STATE, Fate.THREAD_RAISED})
"""Fates of calls that did answer."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one contained call came to."""

    fate: Fate
    reply: bytes | None = None
    """What the entry returned; set for `COMPLETED` and for the fates in `EFFECTS`."""
    error_type: str = ""
    """Qualified type name of the exception, e.g. `builtins.ValueError`."""
    message: str = ""
    """The exception's text, or one line on how the worker ended."""
    stack: str = ""
    """Python traceback, or the faulthandler dump of a crash or a hang."""
    signal: int | None = None
    """The signal that ended the worker, if one that is not ours did."""
    exit_code: int | None = None
    seconds: float = 0.0
    """Wall time from handing the call over to seeing that it answered, ended or is late."""
    output_tail: str = ""
    """The last kilobytes that the call wrote to standard output and standard error; empty for `COMPLETED`."""
    notes: tuple[str, ...] = ()
    """What else was seen: leaked descriptors or threads, how a worker ended between two calls, ..."""
    during_start: bool = False
    """The worker failed before it took the call: while importing the entry or making the callable."""
    case: bytes | None = None
    """The guilty case when an in-worker loop (`Supervisor.loop`) did not complete."""
