"""A server outlives the clients that have it from a keeper."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from targets.errors import UsageError
from targets.http.case import Message
from targets.http.client import Client, ask
from targets.http.keeper import VARIABLE, Keeper, KeptProcess, process_of
from targets.http.process import ServerCommand

SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            print("last words", flush=True); os._exit(3)
        body = str(os.getpid()).encode()
        self.send_response(200); self.send_header("content-length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def command(tmp_path: Path) -> ServerCommand:
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    return ServerCommand(f"{sys.executable} {script} {{port}}", patience=20)


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    with Keeper() as made:
        yield made


def test_everybody_gets_the_same_server(keeper: Keeper, command: ServerCommand) -> None:
    first = KeptProcess(str(keeper.path), command)
    pid = pid_of(first)
    first.stop()
    assert pid_of(KeptProcess(str(keeper.path), command)) == pid
    assert first.vitals().processes == 1 and first.cpu_seconds() > 0


def test_a_server_that_died_says_so_and_is_restarted_on_its_port(keeper: Keeper, command: ServerCommand) -> None:
    kept = KeptProcess(str(keeper.path), command)
    address, pid, size = kept.address, pid_of(kept), kept.output_size()
    ask(Client(address), Message(method="GET", path="/die"))
    assert ends(kept)
    assert "exit code 3" in kept.obituary() and "last words" in kept.output_after(size)
    kept.restart()
    assert kept.address == address and pid_of(kept) != pid


def test_after_discarding_the_next_one_gets_a_fresh_server(keeper: Keeper, command: ServerCommand) -> None:
    pid = pid_of(KeptProcess(str(keeper.path), command))
    keeper.discard()
    assert not psutil.pid_exists(pid)
    assert pid_of(KeptProcess(str(keeper.path), command)) != pid


def test_closing_ends_the_server(command: ServerCommand) -> None:
    with Keeper() as keeper:
        pid = pid_of(KeptProcess(str(keeper.path), command))
    assert not psutil.pid_exists(pid) and not keeper.path.exists()


def test_a_server_that_does_not_start_is_the_users_mistake(keeper: Keeper) -> None:
    with pytest.raises(UsageError, match="no-such-program"):
        KeptProcess(str(keeper.path), ServerCommand("no-such-program {port}"))


def test_a_worker_finds_the_keeper_in_its_environment(
    keeper: Keeper, command: ServerCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(keeper.path))
    assert isinstance(process_of(command), KeptProcess)


def ends(kept: KeptProcess) -> bool:
    """Whether it is noticed within five seconds that the server has ended."""
    until = time.monotonic() + 5
    while kept.is_alive and time.monotonic() < until:
        time.sleep(0.01)
    return not kept.is_alive


def pid_of(kept: KeptProcess) -> int:
    return int(ask(Client(kept.address), Message(method="GET", path="/")).body)
