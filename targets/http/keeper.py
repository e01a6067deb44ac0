"""Servers that outlive the processes that test them: kept in one process, asked for over a Unix socket.

A server takes seconds to start, and a worker is thrown away after every confirmation. So whoever owns the workers keeps
the server (`Keeper`), and a worker has it by way of `KeptProcess`, which looks and acts like a process of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import threading
from pathlib import Path
from typing import Literal, Self

import msgspec

from targets.errors import UsageError
from targets.http.address import Address
from targets.http.process import (
    HOST,
    LAG,
    ServerCommand,
    ServerProcess,
    Vitals,
    connections_to,
    cpu_seconds_of,
    start,
    vitals_of,
    written,
)

VARIABLE = "INFERFUZZ_KEEPER"
"""Path of the keeper's socket, in the environment of workers."""


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a worker asks for."""

    do: Literal["have", "look", "renew"]
    """Have it run, tell how it is, or end it and start another."""
    command: ServerCommand


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the server is."""

    port: int = 0
    pid: int = 0
    alive: bool = False
    obituary: str = ""
    output: str = ""
    """Path of the file that it writes its output to."""
    problem: str = ""
    """Why it does not start."""


class Keeper:
    """Starts servers when they are first asked for, and ends them when it is closed. Context manager."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="inferfuzz-keeper-"))
        self.path = self._folder / "socket"
        """Where workers find it."""
        self._servers: dict[ServerCommand, ServerProcess] = {}
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def discard(self) -> None:
        """End the servers; the next one who asks gets a fresh one."""
        with self._lock:
            while self._servers:
                self._servers.popitem()[1].stop()

    def close(self) -> None:
        """End the servers and listen no more."""
        self._listener.close()
        self.discard()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("rwb") as stream:
            for line in stream:
                wish = msgspec.json.decode(line, type=Wish)
                with self._lock:
                    found = self._grant(wish)
                stream.write(msgspec.json.encode(found) + b"\n")
                stream.flush()

    def _grant(self, wish: Wish) -> Kept:
        server = self._servers.get(wish.command)
        try:
            if wish.do == "renew" and server is not None:
                self._servers.pop(wish.command)
                server = self._servers[wish.command] = server.restart()
            elif wish.do != "look" and (server is None or not server.is_alive):
                server = self._servers[wish.command] = server.restart() if server else start(wish.command)
        except UsageError as error:
            return Kept(problem=str(error))
        if server is None:
            return Kept(problem="it was ended")
        alive = server.is_alive
        return Kept(
            port=server.port,
            pid=server.process.pid,
            alive=alive,
            obituary="" if alive else server.obituary(),
            output=server.output.name,
        )


class KeptProcess:
    """A server in the hands of a keeper. Raises `UsageError` when it does not start."""

    def __init__(self, path: str, command: ServerCommand) -> None:
        self._command = command
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._stream = self._socket.makefile("rwb")
        self._kept = self._ask("have")

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(host=HOST, port=self._kept.port)

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._ask("look").alive

    def obituary(self) -> str:
        """How it ended, with the end of its output."""
        return self._ask("look").obituary or "it runs"

    @property
    def lag(self) -> float:
        """Seconds after an answer within which it has written why it failed."""
        return LAG

    def output_size(self) -> int:
        """Bytes that it has written so far."""
        return Path(self._kept.output).stat().st_size

    def output_after(self, start: int) -> str:
        """What it wrote after so many bytes, the last 64 KiB at most, without secrets."""
        with Path(self._kept.output).open("rb") as output:
            return written(output.fileno(), start)

    def vitals(self) -> Vitals:
        """Memory, sockets and processes; zeros if it has ended."""
        return vitals_of(self._kept.pid)

    def connections(self) -> int:
        """Connections to its port that it has accepted and not closed."""
        return connections_to(self._kept.pid, self._kept.port)

    def cpu_seconds(self) -> float:
        """Seconds of CPU that it and its running children have used; 0 if it has ended."""
        return cpu_seconds_of(self._kept.pid)

    def restart(self) -> Self:
        """Have it ended and another started on the same port. Raises `UsageError` if that does not come up."""
        self._kept = self._ask("renew")
        return self

    def stop(self) -> None:
        """Leave it to its keeper."""

    def _ask(self, do: Literal["have", "look", "renew"]) -> Kept:
        self._stream.write(msgspec.json.encode(Wish(do=do, command=self._command)) + b"\n")
        self._stream.flush()
        found = msgspec.json.decode(self._stream.readline(), type=Kept)
        if found.problem:
            raise UsageError(found.problem)
        return found


def process_of(command: ServerCommand) -> ServerProcess | KeptProcess:
    """The server that a command starts: the keeper's where there is one, else one of this process's own."""
    path = os.environ.get(VARIABLE)
    return KeptProcess(path, command) if path else start(command)
