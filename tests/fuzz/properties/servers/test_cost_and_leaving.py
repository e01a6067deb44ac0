"""What a request costs a server, and what is left of it, is seen from outside."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fuzz.lab.servers import ServerBench
from fuzz.properties.model import Verdict
from fuzz.properties.registry import applicable, capability_names, properties
from targets.contract import TargetKind
from targets.http.case import Exchange, HttpCase, Intent, Message, Piece
from targets.http.locate import DEADLINE_VARIABLE, command_target, http_target
from targets.http.process import ServerCommand
from targets.http.wire import JSON_TYPE

SERVER = """
import http.server, json, sys, time
ANSWER = json.dumps({"id": "x", "object": "text_completion", "created": 5, "model": "m",
    "choices": [{"index": 0, "text": "a", "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        size = body.count(b"x") / 40_000
        until = time.thread_time() + 0.8 * size ** (1 if b"linear" in body else 3)
        while size and time.thread_time() < until:
            pass
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)
        self.wfile.flush()
        if b"keep" in body:
            time.sleep(600)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerBench]:
    monkeypatch.setenv(DEADLINE_VARIABLE, "60")
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    made = ServerBench(
        command_target(ServerCommand(f"{sys.executable} {script} {{port}}"), "openai"), "cpu", "float32", {}
    )
    yield made
    made.close()


def judged(bench: ServerBench, code: str, text: str, repeat: int = 1) -> Verdict:
    pieces = (
        Piece(text=f'{{"model": "m", "user": "{text}", "max_tokens": 1, "prompt": "'),
        Piece(text="x", repeat=repeat),
        Piece(text='"}'),
    )
    message = Message(path="/v1/completions", headers=(JSON_TYPE,), body=pieces)
    exchange = Exchange(message=message, endpoint="completions", intent=Intent.EITHER)
    chosen = [found for found in properties(TargetKind.HTTP) if found.code == code]
    return bench.judge(HttpCase(dialect="openai", exchanges=(exchange,)), chosen)


def test_a_cost_that_grows_with_the_cube_of_the_size_is_seen_in_the_servers_cpu_time(bench: ServerBench) -> None:
    found = judged(bench, "H7", "cubic", 40_000)
    assert [violation.signature for violation in found.violations] == ["H7/more-than-proportional"]


def test_a_cost_that_is_proportional_is_fine(bench: ServerBench) -> None:
    found = judged(bench, "H7", "linear", 40_000)
    assert (found.violations, found.checked) == ((), ("H7",))


def test_a_connection_that_is_never_closed_is_left_behind(bench: ServerBench) -> None:
    bench.server = replace(bench.server, client=replace(bench.server.client, deadline=2.0))
    bench._lab.server = bench.server
    found = judged(bench, "H12", "keep")
    assert [violation.signature for violation in found.violations] == ["H12/connections-left"]


def test_connections_that_are_closed_leave_nothing(bench: ServerBench) -> None:
    found = judged(bench, "H12", "linear")
    assert (found.violations, found.checked) == ((), ("H12",))


def test_of_a_server_by_url_that_shows_nothing_it_is_said_that_leaks_cannot_be_seen(bench: ServerBench) -> None:
    target = http_target(bench.server.client.address.url, "openai")
    shown = ServerBench(target, "cpu", "float32", {}).probe
    missing = applicable(target, capability_names(shown, TargetKind.HTTP)).missing
    assert missing["H12"] == "needs ShowsResources"
