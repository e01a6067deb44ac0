"""Servers that are given as a command: started under a memory limit, awaited, watched, restarted, ended."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import IO

import psutil

from targets.errors import UsageError
from targets.http.address import Address, redact

HOST = "127.0.0.1"
LAG = 0.3
"""Seconds after an answer within which a server has written why it failed."""
_TICK = 0.05
_TAIL = 4000
_LONGEST = 64 * 1024


@dataclass(frozen=True)
class ServerCommand:
    """How to start a server. `{port}` in the command is replaced by a free port."""

    command: str
    memory: int = 8 * 2**30
    """Bytes that the server and its children may hold; beyond it they are ended."""
    patience: float = 120.0
    """Seconds to wait until it listens."""
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Vitals:
    """What the process holds right now."""

    memory: int
    """Resident bytes, children included."""
    sockets: int
    """Open connections, children included."""
    processes: int


@dataclass
class ServerProcess:
    """A running server of ours; use `start`."""

    command: ServerCommand
    port: int
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    ended_by_us: str = ""
    """Why the watcher ended it, if it did."""
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(host=HOST, port=self.port)

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def obituary(self) -> str:
        """How it ended, with the end of its output."""
        code = self.process.poll()
        how = (
            "it runs" if code is None else f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        )
        return f"{self.ended_by_us or how}\n{self.tail()}".strip()

    def tail(self) -> str:
        """The end of its output, without secrets."""
        return self.output_after(self.output_size() - _TAIL)

    @property
    def lag(self) -> float:
        """Seconds after an answer within which it has written why it failed."""
        return LAG

    def output_size(self) -> int:
        """Bytes that it has written so far."""
        return os.fstat(self.output.fileno()).st_size

    def output_after(self, start: int) -> str:
        """What it wrote after so many bytes, the last 64 KiB at most, without secrets."""
        return written(self.output.fileno(), start)

    def vitals(self) -> Vitals:
        """Memory, sockets and processes; zeros if it has ended."""
        return vitals_of(self.process.pid)

    def connections(self) -> int:
        """Connections to its port that it has accepted and not closed, those of its children included."""
        return connections_to(self.process.pid, self.port)

    def cpu_seconds(self) -> float:
        """Seconds of CPU that it and its running children have used; 0 if it has ended."""
        return cpu_seconds_of(self.process.pid)

    def restart(self) -> ServerProcess:
        """End it and start another on the same port. Raises `UsageError` if that does not come up."""
        self.stop()
        return start(self.command, self.port)

    def stop(self) -> None:
        """End it and all it started; idempotent."""
        self.stopping.set()
        _end(self.process)
        if not self.output.closed:
            self.output.close()


def vitals_of(pid: int) -> Vitals:
    """What a process and its children hold; zeros if it has ended."""
    family = _family(pid)
    return Vitals(memory=sum(map(_memory, family)), sockets=sum(map(_sockets, family)), processes=len(family))


def connections_to(pid: int, port: int) -> int:
    """Connections to a port that a process and its children hold open; a child that shares one is not counted again."""
    found = {peer for one in _family(pid) for peer in _peers(one, port)}
    return len(found)


def cpu_seconds_of(pid: int) -> float:
    """Seconds of CPU that a process and its running children have used; 0 if it has ended."""
    return sum(map(_cpu, _family(pid)))


def written(descriptor: int, start: int) -> str:
    """What is in an output file after so many bytes, the last 64 KiB at most, without secrets."""
    size = os.fstat(descriptor).st_size
    begin = max(0, start, size - _LONGEST)
    return redact(os.pread(descriptor, size - begin, begin).decode(errors="replace"))


def start(command: ServerCommand, port: int | None = None) -> ServerProcess:
    """Start a server and wait until it listens. Raises `UsageError` if it ends or stays silent."""
    port = port or _free_port()
    arguments = shlex.split(command.command.replace("{port}", str(port)))
    output = tempfile.NamedTemporaryFile(prefix="inferfuzz-server-")  # noqa: SIM115 - lives as long as the process
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **dict(command.environment)},
        )
    except OSError as error:
        output.close()
        raise UsageError(f"Server command {redact(command.command)!r} does not start: {error}") from None
    server = ServerProcess(command, port, process, output)
    threading.Thread(target=_watch, args=(server,), daemon=True).start()
    try:
        _await(server)
    except BaseException:
        server.stop()
        raise
    return server


def _await(server: ServerProcess) -> None:
    until = time.monotonic() + server.command.patience
    while time.monotonic() < until:
        if not server.is_alive:
            raise UsageError(f"Server command {redact(server.command.command)!r} ended: {server.obituary()}")
        with contextlib.suppress(OSError), socket.create_connection((HOST, server.port), timeout=1):
            return
        time.sleep(_TICK)
    waited = f"{server.command.patience:g} s"
    raise UsageError(
        f"Server command {redact(server.command.command)!r} does not listen on port {server.port} after {waited}. "
        f"Let it listen on {HOST}:{{port}}. Its output ends with: {server.tail()}"
    )


def _watch(server: ServerProcess) -> None:
    """End the server when it outgrows its memory, before it takes the machine down."""
    while server.is_alive and not server.stopping.wait(_TICK):
        memory = sum(map(_memory, _family(server.process.pid)))
        if memory > server.command.memory:
            server.ended_by_us = f"ended by us: it held {memory} bytes, allowed are {server.command.memory}"
            _end(server.process)


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return []


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _sockets(process: psutil.Process) -> int:
    try:
        return len(process.net_connections())
    except psutil.Error:
        return 0


def _peers(process: psutil.Process, port: int) -> list[tuple[str, int]]:
    try:
        held = process.net_connections("tcp")
    except psutil.Error:
        return []
    accepted = [one for one in held if one.status != psutil.CONN_LISTEN and one.laddr.port == port]
    return [(one.raddr.ip, one.raddr.port) for one in accepted]


def _cpu(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(used.user + used.system)


def _end(process: subprocess.Popen[bytes]) -> None:
    # The server stays in our process group, so that whoever ends a contained worker ends its server as well.
    for one in reversed(_family(process.pid)):
        with contextlib.suppress(psutil.Error):
            one.kill()
    process.wait()


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])
