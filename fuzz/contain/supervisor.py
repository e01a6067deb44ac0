"""Calls in a worker process that may do anything: the parent keeps a deadline, and decides how each call ended.

    with Supervisor("package.module:make", b"tiny", imports=("torch",)) as supervisor:
        outcome = supervisor.call(b"payload")

One zygote (which has imported everything and run nothing) forks the workers, so that a spare is ready within
milliseconds of a crash. `fuzz.contain.system.weaknesses` says what this platform lacks.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import Self

import msgspec

from fuzz.contain import endings, system
from fuzz.contain.errors import ContainmentError
from fuzz.contain.handle import Event, WorkerHandle
from fuzz.contain.inline import InlineWorker
from fuzz.contain.nursery import Nursery
from fuzz.contain.outcome import Fate, Outcome
from fuzz.contain.patience import wait_for_case, wait_for_reply
from fuzz.contain.protocol import Kind, PeerEnded, Setup
from fuzz.contain.shared import SharedMemory

GIB = 1 << 30

RETIRE_ON = ("CUDA error", "CUDNN_STATUS", "CUBLAS_STATUS", "HIP error", "device-side assert", "NCCL error")
"""Texts of errors after which a device context answers nothing any more."""

_ATTEMPTS = 3
_IMPORT_SECONDS = 120.0
"""The least time that the imports have, whatever the start deadline: a cold import of torch has taken 30 s."""

_SPOILING = frozenset({Fate.CLOSED_STDOUT, Fate.OUT_OF_MEMORY, Fate.OUT_OF_DESCRIPTORS, Fate.OUTPUT_FLOOD})
"""After these a worker that still runs is not to be trusted with the next call."""


class Supervisor:
    """Owns a zygote, a worker and a spare. Not for use by two threads at a time.

    `entry` is "module:function"; in each fresh worker `function(argument)` runs once and returns the callable from
    bytes to bytes that every `call` runs. `imports` are imported before forking; torch then runs on one thread.
    `memory` is what a worker may allocate beyond its size after the imports, in bytes; pass None where CUDA is used,
    whose address space is huge. `shared` bytes are mapped here and in every worker. `core` pins the calling thread
    and the worker to one core: waking a process on another can cost five times as much. `tolerated` fates (of
    `EFFECTS`) become notes, for targets that are known to start processes, say. `spare` keeps a second worker ready;
    do without where two models do not fit. `inline`, and MUTANT_UNDER_TEST, run everything in this process instead.

    Raises `ContainmentError` when an import fails or the platform cannot contain.
    """

    def __init__(
        self,
        entry: str,
        argument: bytes = b"",
        *,
        deadline: float = 10.0,
        start_deadline: float = 120.0,
        memory: int | None = 4 * GIB,
        imports: tuple[str, ...] = (),
        shared: int = 0,
        core: int | None = None,
        capacity: int = 1 << 20,
        output_limit: int = 16 << 20,
        descriptors: int = 4096,
        retire_on: tuple[str, ...] = RETIRE_ON,
        tolerated: frozenset[Fate] = frozenset(),
        environment: Mapping[str, str] | None = None,
        spare: bool = True,
        inline: bool = False,
    ) -> None:
        self.restarts = 0
        """Workers ended and replaced so far."""
        self.in_flight = b""
        """Flight recorder: the payload that runs or ran last; for a loop, its last case."""
        self._map = SharedMemory(shared)
        self.shared = self._map.view
        """Memory that the worker sees too (`fuzz.contain.worker.shared_memory`); outlives killed workers."""
        self._deadline = deadline
        self._start_deadline = start_deadline
        self._retire_on = retire_on
        self._spare = spare
        self._environment = {**os.environ, **(environment or {})}
        self._setup = Setup(
            entry=entry,
            argument=argument,
            imports=imports,
            memory=memory,
            descriptors=descriptors,
            output_limit=output_limit,
            capacity=capacity,
            shared_fd=self._map.fd,
            tolerated=tuple(tolerated),
            core=core,
            cores=system.cores(),
            use_pidfd=system.has_pidfd(),
        )
        self._inline = inline
        self._in_process: InlineWorker | None = None
        self._active: WorkerHandle | None = None
        self._nursery: Nursery | None = None
        self._cores: set[int] | None = None
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        if self._runs_inline():
            self._inline_worker()
            return
        if problem := system.supported():
            raise ContainmentError(problem)
        self._cores = system.pin(self._setup.core)
        self._nursery = Nursery(self._setup, self._environment, max(self._start_deadline, _IMPORT_SECONDS))
        self._nursery.order()

    def call(self, payload: bytes, *, deadline: float | None = None) -> Outcome:
        """Run one call; never raises for anything that the worker does. `deadline` is in seconds."""
        return self._run(payload, self._deadline if deadline is None else deadline, looping=False)

    def loop(self, payload: bytes, *, deadline: float | None = None) -> Outcome:
        """Run one call that itself runs many cases, each between `begin` and `end` of `worker.flight_recorder()`.

        The parent is not woken for a case; it looks at the recorder several times per deadline, which is for one
        case, or for the pause between two. Unless it completes, the outcome carries the guilty case.
        """
        outcome = self._run(payload, self._deadline if deadline is None else deadline, looping=True)
        if outcome.fate is Fate.COMPLETED or outcome.during_start:
            return outcome
        return msgspec.structs.replace(outcome, case=self.in_flight)

    def _run(self, payload: bytes, deadline: float, *, looping: bool) -> Outcome:
        self.in_flight = payload
        if self._runs_inline():
            in_process = self._inline_worker()
            outcome = in_process.call(payload)
            self.in_flight = in_process.in_flight(payload)
            return outcome
        notes: tuple[str, ...] = ()
        for _ in range(_ATTEMPTS):
            worker = self._acquire()
            if isinstance(worker, Outcome):
                return worker
            outcome, was_taken = self._attempt(worker, payload, deadline, looping=looping)
            if was_taken:
                return msgspec.structs.replace(outcome, notes=notes + outcome.notes) if notes else outcome
            # It ended while idle: whatever ended it, this payload did not.
            notes = (*notes, f"the previous worker ended between two calls: {outcome.fate}, {outcome.message}")
        return Outcome(fate=Fate.KILLED, message="every worker ends before it takes the call", notes=notes)

    def _attempt(self, worker: WorkerHandle, payload: bytes, deadline: float, *, looping: bool) -> tuple[Outcome, bool]:
        try:
            worker.post(payload)
            started = time.perf_counter()
            event = wait_for_case(worker, deadline) if looping else wait_for_reply(worker, deadline)
            seconds, was_taken = time.perf_counter() - started, worker.has_taken
            outcome = msgspec.structs.replace(self._judge(worker, event, deadline), seconds=seconds)
            if looping:
                self.in_flight = worker.recorder.read().case
        except BaseException:
            # The user's interrupt: the worker is in the middle of a call.
            self._retire(worker)
            raise
        if event is not Event.REPLIED or self._is_spoilt(outcome):
            self._retire(worker)
        return outcome, was_taken

    def _judge(self, worker: WorkerHandle, event: Event, deadline: float) -> Outcome:
        if event is Event.REPLIED:
            return endings.of_reply(worker)
        if event is Event.ENDED:
            return endings.of_death(worker, self._the_nursery())
        return endings.of_hang(worker, deadline)

    def _is_spoilt(self, outcome: Outcome) -> bool:
        if outcome.fate is Fate.COMPLETED:
            return False
        return outcome.fate in _SPOILING or any(text in outcome.message for text in self._retire_on)

    def _acquire(self) -> WorkerHandle | Outcome:
        worker = self._active = self._active or self._take()
        if worker.ready:
            return worker
        try:
            event = wait_for_reply(worker, self._start_deadline)
            worker.ready = event is Event.REPLIED and worker.reply.kind == Kind.READY
            if worker.ready:
                self._order_spare()
                return worker
            outcome = self._judge(worker, event, self._start_deadline)
        except BaseException:
            self._retire(worker)
            raise
        self._retire(worker)
        return msgspec.structs.replace(outcome, during_start=True)

    def _take(self) -> WorkerHandle:
        # The spares of a zygote that is gone are dying.
        if self._the_nursery().lives():
            with contextlib.suppress(PeerEnded):
                return self._the_nursery().take()
        self._the_nursery().close()
        self._nursery = Nursery(self._setup, self._environment, max(self._start_deadline, _IMPORT_SECONDS))
        return self._nursery.take()

    def _order_spare(self) -> None:
        nursery = self._the_nursery()
        if self._spare and not nursery.has_spare():
            with contextlib.suppress(PeerEnded):  # noticed again, and mended, when the spare is wanted
                nursery.order()

    def _the_nursery(self) -> Nursery:
        if self._nursery is None:
            raise ContainmentError("this supervisor is closed; make a new one")
        return self._nursery

    def _retire(self, worker: WorkerHandle) -> None:
        self.restarts += 1
        self._active = None
        endings.end(worker, self._the_nursery())
        worker.close()

    def renew(self) -> None:
        """End the worker, so that the next call runs in a fresh one. In-process the callable is made again."""
        if self._active is not None:
            self._retire(self._active)
        if self._in_process is not None:
            self._in_process.close()
            self._in_process = None

    def _runs_inline(self) -> bool:
        return self._inline or "MUTANT_UNDER_TEST" in os.environ

    def _inline_worker(self) -> InlineWorker:
        if self._in_process is None:
            self._in_process = InlineWorker(self._setup.entry, self._setup.argument, self._setup.imports, self.shared)
        return self._in_process

    def close(self) -> None:
        """End every process; returns when they are gone. A second call does nothing."""
        if self._active is not None:
            self._active.close()
            self._active = None
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None
        if self._in_process is not None:
            self._in_process.close()
            self._in_process = None
        self._map.close()
        system.unpin(self._cores)
        self._cores = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
