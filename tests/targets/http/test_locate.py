"""Servers are named by URL, by command, or taken from the reference front end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from targets import registry
from targets.contract import TargetKind
from targets.errors import UsageError
from targets.http.case import Message
from targets.http.client import ask
from targets.http.locate import HEADERS_VARIABLE, command_target, http_target
from targets.http.mock import MockServer, mock_server
from targets.http.process import ServerCommand, start
from targets.http.server import Server

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            import os; os._exit(3)
        if self.path == "/grow":
            self.server.kept = bytearray(b"x" * 2 ** 29)
        self.send_response(200); self.send_header("content-length", "2"); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def server() -> Iterator[MockServer]:
    with mock_server() as running:
        yield running


@pytest.fixture
def command(tmp_path: Path) -> ServerCommand:
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    return ServerCommand(f"{sys.executable} {script} {{port}}", memory=2**28, patience=20)


def test_a_url_is_a_target_that_knows_its_model(server: MockServer) -> None:
    target = registry.find(f"ollama:ollama+{server.url}")
    assert target.kind is TargetKind.HTTP
    assert target.api is not None
    assert (target.api.dialect, target.api.family, target.api.limits.model) == ("ollama", "ollama", "mock")


def test_a_url_alone_speaks_openai(server: MockServer) -> None:
    target = registry.find(server.url)
    assert target.api is not None and target.api.dialect == "openai"


def test_a_server_that_is_not_there_is_the_users_mistake() -> None:
    with pytest.raises(UsageError, match="No HTTP server answers"):
        registry.find("http://127.0.0.1:9")


def test_an_unknown_dialect_is_named_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match=r"opnai.*Did you mean 'openai'"):
        registry.find("opnai+http://127.0.0.1:9")


def test_another_host_is_refused() -> None:
    with pytest.raises(UsageError, match="--allow-host"):
        registry.find("http://example.org")


def test_credentials_come_from_the_environment_and_show_nowhere(
    server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HEADERS_VARIABLE, "authorization: Bearer hunter2")
    target = http_target(server.url, "openai")
    assert server.requests[-1].headers["authorization"] == "Bearer hunter2"
    assert "hunter2" not in repr(target)
    assert target.api is not None and target.api.headers == ("authorization",)


def test_a_command_is_started_awaited_and_ended(command: ServerCommand) -> None:
    target = command_target(command, "openai")
    opened = target.open(target.load("cpu", "float32"))
    assert isinstance(opened, Server) and opened.process is not None
    assert opened.ask(Message(method="GET", path="/")).is_success
    assert opened.process.vitals().memory > 0
    opened.close()
    assert not opened.process.is_alive


def test_the_model_of_a_command_is_named_by_the_environment(
    command: ServerCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFERFUZZ_MODEL", "tiny-llama")
    target = command_target(command, "openai")
    assert target.api is not None and target.api.limits.model == "tiny-llama"


def test_a_command_that_ends_at_once_is_the_users_mistake() -> None:
    command = ServerCommand(f"{sys.executable} -c \"print('no model here'); raise SystemExit(3)\"", patience=20)
    with pytest.raises(UsageError, match=r"(?s)exit code 3.*no model here"):
        start(command)


def test_a_command_that_does_not_exist_is_the_users_mistake() -> None:
    with pytest.raises(UsageError, match="does not start"):
        start(ServerCommand("/no/such/program"))


def test_a_server_that_outgrows_its_memory_is_ended(command: ServerCommand) -> None:
    process = start(command)
    try:
        client = command_client(process.port)
        client.ask(Message(method="GET", path="/grow"))
        process.process.wait(timeout=10)
        assert "ended by us" in process.obituary()
    finally:
        process.stop()


def test_a_killed_server_is_restarted_on_its_port(command: ServerCommand) -> None:
    process = start(command)
    client = command_client(process.port)
    client.ask(Message(method="GET", path="/die"))
    process.process.wait(timeout=10)
    assert "exit code 3" in process.obituary()
    again = process.restart()
    try:
        assert again.port == process.port
        assert client.ask(Message(method="GET", path="/")).is_success
    finally:
        again.stop()


def command_client(port: int) -> Server:
    from targets.http.address import Address
    from targets.http.api import HttpApi
    from targets.http.client import Client

    client = Client(Address(host="127.0.0.1", port=port), deadline=5.0)
    assert ask(client, Message(method="GET", path="/")).is_success
    return Server(client, HttpApi(dialect="openai"))
