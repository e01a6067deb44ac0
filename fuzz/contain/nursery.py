"""The parent's side of the zygote: start it, order workers from it, have them collected, start another if it dies."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping

import msgspec

from fuzz.contain import protocol
from fuzz.contain.errors import ContainmentError
from fuzz.contain.handle import WorkerHandle
from fuzz.contain.links import FIELDS, Links
from fuzz.contain.protocol import Order, PeerEnded, Setup

_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[3]); "
    "from fuzz.contain.zygote import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
_UNKNOWN_STATUS = int(signal.SIGKILL)
"""The wait status to assume for a worker whose zygote is gone: the kernel kills such workers."""


class Nursery:
    """One zygote process. Raises `PeerEnded` from its orders when that process is gone."""

    def __init__(self, setup: Setup, environment: Mapping[str, str], seconds: float) -> None:
        self._workers: list[WorkerHandle] = []
        self._pending = 0
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the zygote
        mine, theirs = socket.socketpair()
        self._channel = mine
        inherited = [theirs.fileno()] + ([] if setup.shared_fd is None else [setup.shared_fd])
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    _BOOT,
                    str(theirs.fileno()),
                    str(os.getpid()),
                    json.dumps([str(folder) for folder in sys.path]),
                ],
                pass_fds=inherited,
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                env=dict(environment),
                # Outside the terminal's foreground group, so that Ctrl-C reaches the parent alone.
                process_group=0,
            )
        try:
            self._introduce(setup, seconds)
        except BaseException:
            self.close()
            raise

    def _introduce(self, setup: Setup, seconds: float) -> None:
        self._channel.settimeout(seconds)
        try:
            protocol.send_block(self._channel, msgspec.msgpack.encode(setup))
            problem = protocol.receive_block(self._channel).decode()
        except TimeoutError:
            problem = f"importing {', '.join(setup.imports)} takes longer than {seconds:g} s"
        except PeerEnded:
            problem = self._why_it_ended(setup)
        if problem:
            raise ContainmentError(problem)
        self._channel.settimeout(None)

    def _why_it_ended(self, setup: Setup) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        tail = self._errors.read()[-2000:].decode(errors="backslashreplace").strip()
        modules = ", ".join(setup.imports) or "nothing"
        return f"the process that imports {modules} for the workers ended with status {code}: {tail or 'no output'}"

    @property
    def pid(self) -> int:
        """Process id of the zygote."""
        return self._process.pid

    def lives(self) -> bool:
        """Whether the zygote runs."""
        return self._channel.fileno() >= 0 and self._process.poll() is None

    def order(self) -> None:
        """Ask for one more worker, and do not wait for it."""
        protocol.send(self._channel, Order.FORK)
        self._pending += 1

    def take(self) -> WorkerHandle:
        """The oldest worker ordered; waits until it is forked."""
        if not self._workers and not self._pending:
            self.order()
        while not self._workers:
            self._receive()
        return self._workers.pop(0)

    def has_spare(self) -> bool:
        """Whether a worker is ordered or waiting."""
        return bool(self._workers or self._pending)

    def reap(self, worker: WorkerHandle) -> int:
        """End what is left of a worker's process group and of its orphans; the worker's wait status."""
        worker.status = _UNKNOWN_STATUS
        try:
            protocol.send(self._channel, Order.REAP, worker.pid)
            order, pid, status = self._receive()
            while (order, pid) != (Order.REAP, worker.pid):
                order, pid, status = self._receive()
            worker.status = status
        except PeerEnded:
            self._channel.close()
        return worker.status

    def _receive(self) -> tuple[int, int, int]:
        try:
            order, pid, status, fds = protocol.receive(self._channel)
        except BaseException:
            # Interrupted in the middle of a message: nothing read after it would make sense.
            self._channel.close()
            raise
        if order == Order.FORK:
            self._pending -= 1
            links, pidfd = Links(*fds[:FIELDS]), fds[FIELDS] if len(fds) > FIELDS else None
            self._workers.append(WorkerHandle(pid, links, pidfd, self._has_ended))
        return order, pid, status

    def _has_ended(self, pid: int) -> bool:
        try:
            protocol.send(self._channel, Order.PROBE, pid)
            order, probed, ended = self._receive()
            while (order, probed) != (Order.PROBE, pid):
                order, probed, ended = self._receive()
        except PeerEnded:
            return True
        return bool(ended)

    def close(self) -> None:
        """End the zygote and all its workers; returns when they are gone."""
        self._channel.close()
        for worker in self._workers:
            worker.close()
        self._workers.clear()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()
