"""What a call left behind in the worker, looked at after every call: microseconds when there is nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fuzz.contain import expected, system
from fuzz.contain.outcome import Fate, Outcome

TAIL_BYTES = 4096

_ENVIRONMENT: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
"""The dictionary behind `os.environ`: comparing it costs a microsecond, comparing the mapping costs fifty."""


@dataclass(frozen=True)
class Changes:
    """The side effects of one call, worst first, and what it printed."""

    effects: tuple[tuple[Fate, str], ...]
    notes: tuple[str, ...]
    output_tail: str
    stack: str = ""

    def merge(self, outcome: Outcome) -> Outcome:
        """The outcome of a call that had these effects."""
        fate, message = outcome.fate, outcome.message
        lines = [f"{effect}: {text}" for effect, text in self.effects]
        if self.effects and (fate is Fate.COMPLETED or self.effects[0][0] is Fate.OUTPUT_FLOOD):
            fate, text = self.effects[0]
            message = f"{text}; then {outcome.error_type}: {message}" if outcome.error_type else text
            lines = lines[1:]
        return msgspec.structs.replace(
            outcome,
            fate=fate,
            message=message,
            stack=outcome.stack or self.stack,
            output_tail="" if fate is Fate.COMPLETED else self.output_tail,
            notes=(*outcome.notes, *lines, *self.notes),
        )


class Effects:
    """Compares the process with what it was after the previous call, and puts back what can be put back."""

    def __init__(self, output: int, output_limit: int, tolerated: frozenset[Fate]) -> None:
        self._output = output
        self._output_limit = output_limit
        self._tolerated = tolerated
        self._raised_in_threads: list[tuple[str, str]] = []
        threading.excepthook = self._thread_raised
        self._output_inode = os.fstat(output).st_ino
        self._children = system.children()
        self._folder = os.getcwd()  # noqa: PTH109 - half the cost, on every call
        self._environment = dict(_ENVIRONMENT)
        self._threads = threading.active_count()
        self._next_fd = _lowest_free_descriptor()
        os.lseek(output, 0, os.SEEK_SET)

    def check(self) -> Changes | None:
        """What changed since the last check; None if nothing did. Output is rewound, so each call has its own."""
        _flush()
        written = os.lseek(self._output, 0, os.SEEK_CUR)
        effects: list[tuple[Fate, str]] = []
        notes: list[str] = []
        stack = self._raised_in_threads[0][1] if self._raised_in_threads else ""
        if written >= self._output_limit:
            effects.append((Fate.OUTPUT_FLOOD, f"more than {self._output_limit} bytes of output"))
        for look in (self._descriptors, self._thread_errors, self._left_children, self._streams, self._state):
            found = look()
            if found is not None:
                effects.append(found)
        if (threads := threading.active_count()) != self._threads:
            notes.append(f"{threads} threads run, {self._threads} before the call")
            self._threads = threads
        notes += [f"tolerated {fate}: {text}" for fate, text in effects if fate in self._tolerated]
        effects = [effect for effect in effects if effect[0] not in self._tolerated]
        tail = read_tail(self._output, written)
        if written:
            os.lseek(self._output, 0, os.SEEK_SET)
        notes += self._leaked_descriptors()
        if not (effects or notes or tail):
            return None
        return Changes(tuple(effects), tuple(notes), tail, stack)

    def _descriptors(self) -> tuple[Fate, str] | None:
        if _lowest_free_descriptor() is None:
            return Fate.OUT_OF_DESCRIPTORS, "every file descriptor that the process may have is open"
        return None

    def _leaked_descriptors(self) -> tuple[str, ...]:
        # A new descriptor takes the lowest free number, so that number moves whenever one is leaked.
        free = _lowest_free_descriptor()
        if free == self._next_fd:
            return ()
        before, self._next_fd = self._next_fd, free
        if free is None or before is None or free < before:
            return ()
        names = ", ".join(f"{fd} ({_describe(fd)})" for fd in range(before, min(free, before + 4)))
        return (f"descriptors left open: {names}",)

    def _thread_raised(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_type is SystemExit:
            return
        name = args.thread.name if args.thread else "a thread"
        text = "".join(traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback))
        summary = f"{name}: {args.exc_type.__module__}.{args.exc_type.__qualname__}: {args.exc_value}"
        self._raised_in_threads.append((summary, text))

    def _thread_errors(self) -> tuple[Fate, str] | None:
        if not self._raised_in_threads:
            return None
        summaries = "; ".join(summary for summary, _ in self._raised_in_threads)
        self._raised_in_threads.clear()
        return Fate.THREAD_RAISED, summaries

    def _left_children(self) -> tuple[Fate, str] | None:
        if not system.may_have_children():
            return None
        new = [pid for pid in system.children() - self._children if not _is_zombie(pid)]
        self._children |= {pid for pid in new if expected.process(pid)}
        left = system.children() - self._children
        running = [f"{pid} ({_command(pid)})" for pid in sorted(left) if not _is_zombie(pid)]
        if Fate.LEAKED_CHILD in self._tolerated:
            self._children |= left
        else:
            self._end_children()
        return (Fate.LEAKED_CHILD, f"child processes left running: {', '.join(running)}") if running else None

    def _end_children(self) -> None:
        # Their own children become ours when they end, hence the loop.
        while left := system.children() - self._children:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _streams(self) -> tuple[Fate, str] | None:
        for fd, stream in ((1, sys.stdout), (2, sys.stderr)):
            name = "standard output" if fd == 1 else "standard error"
            try:
                replaced = os.fstat(fd).st_ino != self._output_inode
            except OSError:
                return Fate.CLOSED_STDOUT, f"{name} (descriptor {fd}) was closed"
            if replaced:
                return Fate.CLOSED_STDOUT, f"{name} (descriptor {fd}) was replaced"
            if stream is None or stream.closed:
                return Fate.CLOSED_STDOUT, f"{name} (the Python stream) was closed"
        return None

    def _state(self) -> tuple[Fate, str] | None:
        texts: list[str] = []
        try:
            folder = os.getcwd()  # noqa: PTH109 - half the cost, on every call
        except OSError:
            folder = "(removed)"
        if folder != self._folder:
            texts.append(f"working directory {self._folder} -> {folder}")
            os.chdir(self._folder)
        if self._environment != _ENVIRONMENT:
            changed = {name for name, _ in self._environment.items() ^ _ENVIRONMENT.items()}
            if names := sorted(os.fsdecode(name) for name in changed if not expected.variable(name)):
                texts.append(f"environment variables {', '.join(names)}")
            self._restore_environment()
        return (Fate.CHANGED_STATE, "; ".join(texts)) if texts else None

    def _restore_environment(self) -> None:
        tolerated = Fate.CHANGED_STATE in self._tolerated
        changed = {name for name, _ in self._environment.items() ^ _ENVIRONMENT.items()}
        for name in changed:
            if tolerated or expected.variable(name):
                continue
            if (value := self._environment.get(name)) is None:
                del os.environ[os.fsdecode(name)]
            else:
                os.environ[os.fsdecode(name)] = os.fsdecode(value)
        self._environment = dict(_ENVIRONMENT)


def read_tail(output: int, written: int) -> str:
    """The last `TAIL_BYTES` of what was written to an output file so far."""
    if not written:
        return ""
    start = max(0, written - TAIL_BYTES)
    return os.pread(output, written - start, start).decode(errors="backslashreplace")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError, OSError, AttributeError):
            stream.flush()


def _lowest_free_descriptor() -> int | None:
    try:
        fd = os.dup(0)
    except OSError:
        return None
    os.close(fd)
    return fd


def _describe(fd: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - a socket's name is no path
    except OSError:
        return "unknown"


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "unknown"


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return True
