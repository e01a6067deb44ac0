"""The same call in this process, without containment: for mutation testing, which counts hits per process."""

from __future__ import annotations

import time

import msgspec

from fuzz.contain import shared, system, verdict, worker
from fuzz.contain.errors import ContainmentError
from fuzz.contain.mailbox import HEADER_BYTES, Mailbox
from fuzz.contain.outcome import Fate, Outcome
from fuzz.contain.recorder import FlightRecorder
from fuzz.contain.zygote import import_all


class InlineWorker:
    """Makes the callable at the first call and runs it here. What kills a process kills this one.

    Raises `ContainmentError` if one of `imports` does not import.
    """

    def __init__(self, entry: str, argument: bytes, imports: tuple[str, ...], view: memoryview) -> None:
        if problem := import_all(imports):
            raise ContainmentError(problem)
        self._entry = entry
        self._argument = argument
        self._view = view
        self._recorder = FlightRecorder(Mailbox(system.memory_file("recorder", HEADER_BYTES)))
        self._call: worker.Call | None = None

    def call(self, payload: bytes) -> Outcome:
        """One call. The user's Ctrl-C passes through as `KeyboardInterrupt`."""
        shared.lend(self._view)
        worker.lend_recorder(self._recorder)
        started = time.perf_counter()
        outcome = self._attempt(payload)
        return msgspec.structs.replace(outcome, seconds=time.perf_counter() - started)

    def in_flight(self, payload: bytes) -> bytes:
        """The case recorded last by a loop, or else the payload."""
        record = self._recorder.read()
        return record.case if record.since else payload

    def close(self) -> None:
        """Give back the recorder's memory."""
        self._recorder.close()

    def _attempt(self, payload: bytes) -> Outcome:
        starting = self._call is None
        try:
            if self._call is None:
                self._call = worker.make_callable(self._entry, self._argument)
            starting = False
            return Outcome(fate=Fate.COMPLETED, reply=worker.as_bytes(self._call(payload), self._entry))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - reported, whatever it is
            return msgspec.structs.replace(verdict.of_exception(error), during_start=starting)
