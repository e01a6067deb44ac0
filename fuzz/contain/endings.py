"""From what a wait on a worker ended with to an outcome; ends the worker where it must."""

from __future__ import annotations

import contextlib
import os
import signal

import msgspec

from fuzz.contain import verdict
from fuzz.contain.handle import WorkerHandle
from fuzz.contain.mailbox import MailboxError
from fuzz.contain.nursery import Nursery
from fuzz.contain.outcome import Fate, Outcome
from fuzz.contain.protocol import Kind

_END_SECONDS = 10.0


def of_reply(worker: WorkerHandle) -> Outcome:
    """The outcome that a worker's reply says; a reply that cannot be read counts as a crash."""
    try:
        kind, data = worker.reply.kind, worker.reply.read()
        if kind == Kind.REPLY:
            return Outcome(fate=Fate.COMPLETED, reply=data)
        outcome = msgspec.msgpack.decode(data, type=Outcome)
    except (MailboxError, msgspec.DecodeError, msgspec.ValidationError) as error:
        return Outcome(fate=Fate.CRASHED, message=f"the worker's reply is damaged: {error}")
    return outcome


def end(worker: WorkerHandle, nursery: Nursery) -> tuple[int, tuple[str, ...]]:
    """Kill a worker's process group if it lives, collect it and its orphans; its wait status and notes."""
    if worker.status is not None:
        return worker.status, ()
    # No such group: it has ended, or is so young that the group is not made; the zygote sees to both.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker.pid, signal.SIGKILL)
    if not worker.has_ended(_END_SECONDS):
        return int(signal.SIGKILL), (f"process {worker.pid} did not end {_END_SECONDS:g} s after SIGKILL",)
    return nursery.reap(worker), ()


def of_death(worker: WorkerHandle, nursery: Nursery) -> Outcome:
    """The outcome of a call whose worker ended by itself."""
    worker.has_ended(_END_SECONDS)
    status = nursery.reap(worker)
    output, flooded = worker.output()
    outcome = verdict.of_death(status, worker.crash_dump(), output, flooded=flooded)
    if nursery.lives():
        return outcome
    note = "the process that forks the workers (the zygote) was killed, and its workers with it"
    return msgspec.structs.replace(outcome, notes=(note,))


def of_hang(worker: WorkerHandle, deadline: float) -> Outcome:
    """The outcome of a call that outlived its deadline, with its stack."""
    stack, notes = worker.stack()
    output, flooded = worker.output()
    return verdict.of_hang(deadline, stack, output, flooded=flooded, notes=notes)
