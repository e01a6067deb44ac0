"""What runs in a worker process: make the callable once, then answer one call for every byte on the wake pipe."""

from __future__ import annotations

import faulthandler
import importlib
import io
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import NoReturn

import msgspec

from fuzz.contain import shared, system, verdict
from fuzz.contain.effects import Effects
from fuzz.contain.errors import ContainmentError
from fuzz.contain.links import Links
from fuzz.contain.mailbox import Mailbox
from fuzz.contain.outcome import Fate, Outcome
from fuzz.contain.protocol import Kind, Setup
from fuzz.contain.recorder import FlightRecorder
from fuzz.contain.shared import shared_memory

__all__ = ["as_bytes", "flight_recorder", "lend_recorder", "main", "make_callable", "shared_memory"]

Call = Callable[[bytes], bytes]

_recorder: FlightRecorder | None = None


def lend_recorder(recorder: FlightRecorder) -> None:
    """Make this process's loops write to `recorder`."""
    global _recorder
    _recorder = recorder


def flight_recorder() -> FlightRecorder:
    """The recorder of this worker, for loops run by `Supervisor.loop`. Raises `ContainmentError` elsewhere."""
    if _recorder is None:
        raise ContainmentError("no flight recorder here: only the callable that Supervisor.loop runs has one")
    return _recorder


def make_callable(entry: str, argument: bytes) -> Call:
    """Import `module:function` and call it with the argument.

    Raises `ContainmentError` for a wrong name, and whatever the module or the function raises.
    """
    module_name, separator, name = entry.partition(":")
    if not separator or not name:
        raise ContainmentError(f"entry {entry!r} is not of the form 'module:function'")
    make = getattr(importlib.import_module(module_name), name, None)
    if not callable(make):
        raise ContainmentError(f"entry {entry!r}: module {module_name!r} has no callable {name!r}")
    call: Call = make(argument)
    if not callable(call):
        raise ContainmentError(f"entry {entry!r} returned {call!r}; it must return a callable from bytes to bytes")
    return call


def as_bytes(reply: object, entry: str) -> bytes:
    """What a callable returned, checked. Raises TypeError."""
    if isinstance(reply, bytes):
        return reply
    if isinstance(reply, bytearray | memoryview):
        return bytes(reply)
    raise TypeError(f"the callable made by {entry!r} returned {type(reply).__name__}; it must return bytes")


def main(setup: Setup, links: Links, zygote: int) -> NoReturn:
    """Run as a freshly forked worker; never returns."""
    try:
        _prepare(setup, links, zygote)
        _Worker(setup, links).run()
    finally:
        # Whatever happened, the zygote's frames below must not run a second time.
        os._exit(70)


def _prepare(setup: Setup, links: Links, zygote: int) -> None:
    system.die_with_parent(zygote)
    os.setpgid(0, 0)
    system.adopt_orphans()
    _redirect(links.output)
    faulthandler.enable(file=links.crash, all_threads=True)
    faulthandler.register(signal.SIGUSR1, file=links.crash, all_threads=True)
    system.forbid_core_dumps()
    system.limit_descriptors(setup.descriptors)
    if setup.memory is not None:
        system.limit_memory(setup.memory)


def _redirect(output: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.stdout = _text_stream(1)
    sys.stderr = _text_stream(2)


def _text_stream(fd: int) -> io.TextIOWrapper:
    raw = io.FileIO(fd, "w", closefd=True)
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", errors="backslashreplace", line_buffering=True)


class _Worker:
    def __init__(self, setup: Setup, links: Links) -> None:
        self._setup = setup
        self._links = links
        self._pid = os.getpid()
        self._request = Mailbox(links.request)
        self._reply = Mailbox(links.reply)
        lend_recorder(FlightRecorder(Mailbox(links.recorder)))

    def run(self) -> None:
        call = self._start()
        if call is None:
            return
        effects = Effects(self._links.output, self._setup.output_limit, frozenset(self._setup.tolerated))
        self._tell(Kind.READY, b"")
        self._next()
        shared.share()
        system.pin(self._setup.core)
        while True:
            self._serve(call, effects)
            self._next()

    def _start(self) -> Call | None:
        try:
            return make_callable(self._setup.entry, self._setup.argument)
        except BaseException as error:  # noqa: BLE001 - reported, whatever it is
            self._guard()
            outcome = verdict.of_exception(error)
        self._tell(Kind.NOT_READY, msgspec.msgpack.encode(outcome))
        return None

    def _next(self) -> None:
        if not os.read(self._links.wake, 1):
            os._exit(0)  # the parent has closed its end

    def _serve(self, call: Call, effects: Effects) -> None:
        payload = self._request.read()
        self._request.mark(time.monotonic_ns())
        outcome: Outcome | None = None
        reply = b""
        try:
            reply = as_bytes(call(payload), self._setup.entry)
        except BaseException as error:  # noqa: BLE001 - reported, whatever it is
            outcome = verdict.of_exception(error)
        self._guard()
        changed = effects.check()
        if outcome is None and changed is None:
            self._tell(Kind.REPLY, reply)
            return
        seen = outcome or Outcome(fate=Fate.COMPLETED, reply=reply)
        self._tell(Kind.OUTCOME, msgspec.msgpack.encode(changed.merge(seen) if changed else seen))

    def _guard(self) -> None:
        if os.getpid() != self._pid:
            os._exit(0)  # a child that the target forked came back here; it must not answer for us

    def _tell(self, kind: int, data: bytes) -> None:
        self._reply.write(data, kind=kind)
        os.write(self._links.done, b".")
