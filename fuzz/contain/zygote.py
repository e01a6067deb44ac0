"""The process that has imported everything and run nothing: it forks workers, and collects them.

It runs one thread and never calls into the target, so a fork of it is safe and takes milliseconds. Workers and their
orphans are its descendants; it ends them all when the parent is gone.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from dataclasses import astuple

import msgspec

from fuzz.contain import protocol, shared, system, worker
from fuzz.contain.links import open_links
from fuzz.contain.protocol import Order, Setup


def main(channel_fd: int, parent: int) -> None:
    """Entry of the zygote process. The parent's set-up message comes first; the answer is empty or what went wrong."""
    system.die_with_parent(parent)
    channel = socket.socket(fileno=channel_fd)
    setup = msgspec.msgpack.decode(protocol.receive_block(channel), type=Setup)
    system.unpin(set(setup.cores))
    shared.map_privately(setup.shared_fd)
    problem = import_all(setup.imports)
    if not problem:
        system.adopt_orphans()
        gc.collect()
        gc.freeze()
    protocol.send_block(channel, problem.encode())
    if not problem:
        _Zygote(setup, channel, _watch(parent)).serve()


def import_all(modules: tuple[str, ...]) -> str:
    """Import modules, and have torch run on one thread; empty, or which one failed and why."""
    for name in modules:
        try:
            importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001 - whatever an import raises is for the parent to report
            text = "".join(traceback.format_exception_only(error)).strip()
            return f"cannot import {name!r}, which the workers need: {text}"
    if "torch" in sys.modules:
        # A fork after multi-threaded operations deadlocks in the child's first one.
        sys.modules["torch"].set_num_threads(1)
    return ""


def _watch(parent: int) -> int | None:
    """A descriptor that becomes readable when the parent process ends."""
    try:
        fd = os.pidfd_open(parent)
    except (AttributeError, OSError):
        return None
    # The kernel's signal comes when the parent's *thread* ends, which a long-lived supervisor may outlive.
    system.outlive_parent()
    return fd


class _Zygote:
    def __init__(self, setup: Setup, channel: socket.socket, parent_fd: int | None) -> None:
        self._setup = setup
        self._channel = channel
        self._parent_fd = parent_fd
        self._workers: set[int] = set()
        self._statuses: dict[int, int] = {}
        """Wait statuses of workers that a probe found ended and that are not collected yet."""

    def serve(self) -> None:
        """Carry out orders until the parent is gone, then end every descendant."""
        poller = select.poll()
        poller.register(self._channel, select.POLLIN)
        if self._parent_fd is not None:
            poller.register(self._parent_fd, select.POLLIN)
        with contextlib.suppress(protocol.PeerEnded):
            while self._parent_fd not in [fd for fd, _ in poller.poll()]:
                self._obey()
        for pid in tuple(self._workers):
            self._collect(pid)

    def _obey(self) -> None:
        order, pid, _, _ = protocol.receive(self._channel)
        if order == Order.FORK:
            self._fork()
        elif order == Order.REAP:
            protocol.send(self._channel, Order.REAP, pid, self._collect(pid))
        else:
            protocol.send(self._channel, Order.PROBE, pid, int(self._has_ended(pid)))

    def _fork(self) -> None:
        links = open_links(self._setup.capacity, self._setup.output_limit)
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            links.close_parent_side()
            self._channel.close()
            if self._parent_fd is not None:
                os.close(self._parent_fd)
            worker.main(self._setup, links.worker, zygote)
        # Both sides set it, since either may run first.
        os.setpgid(pid, pid)
        self._workers.add(pid)
        pidfds = (os.pidfd_open(pid),) if self._setup.use_pidfd else ()
        protocol.send(self._channel, Order.FORK, pid, 0, astuple(links.parent) + pidfds)
        links.close()
        for fd in pidfds:
            os.close(fd)

    def _has_ended(self, pid: int) -> bool:
        if pid not in self._statuses:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                self._statuses[pid] = status
                _end_group(pid)
        return pid in self._statuses

    def _collect(self, pid: int) -> int:
        """End a worker's process group, reap the worker and every orphan; its wait status."""
        if pid in self._statuses:
            status = self._statuses.pop(pid)
        else:
            # The group id cannot be taken by others while the leader is not reaped.
            _end_group(pid)
            _, status = os.waitpid(pid, 0)
        self._workers.discard(pid)
        while orphans := system.children() - self._workers:
            for orphan in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
                os.waitpid(orphan, 0)
        return status


def _end_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
