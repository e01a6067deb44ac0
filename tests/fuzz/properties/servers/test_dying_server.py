"""A server of ours that a request kills is restarted, and the guilty request is proven by replaying the last ones."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.lab.servers import ServerBench
from fuzz.properties.registry import properties
from targets.codec import decode
from targets.contract import TargetKind
from targets.http.case import Exchange, HttpCase, Intent
from targets.http.dialects.model import Json
from targets.http.locate import command_target
from targets.http.process import ServerCommand
from targets.http.wire import json_message

SERVER = """
import http.server, json, os, sys, threading, time
ANSWER = json.dumps({"id": "x", "object": "text_completion", "created": 5, "model": "m",
    "choices": [{"index": 0, "text": "a", "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if b"sudden" in body:
            os._exit(9)
        if b"poison" in body:
            threading.Timer(0.05, os._exit, (9,)).start()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)
        if b"poison" in body:
            time.sleep(0.3)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ServerBench]:
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    target = command_target(ServerCommand(f"{sys.executable} {script} {{port}}", patience=20), "openai")
    made = ServerBench(target, "cpu", "float32", {})
    yield made
    made.close()


def case(**fields: Json) -> HttpCase:
    message = json_message("/v1/completions", {"model": "default", "prompt": "x", **fields})
    exchange = Exchange(message=message, endpoint="completions", intent=Intent.EITHER)
    return HttpCase(dialect="openai", exchanges=(exchange,))


def await_death(bench: ServerBench) -> None:
    process = bench.server.process
    assert process is not None
    until = time.monotonic() + 10
    while process.is_alive:
        assert time.monotonic() < until, "the server has not died"
        time.sleep(0.02)


def test_a_death_is_named_the_guilty_case_is_proven_and_the_server_is_back(bench: ServerBench) -> None:
    health = [found for found in properties(TargetKind.HTTP) if found.code == "H3"]
    poison = case(user="poison")
    assert bench.judge(case(), health).violations == ()
    # The server dies a moment after it has answered, so the next case is the one that sees it.
    assert bench.judge(poison, []).violations == ()
    await_death(bench)
    verdict = bench.judge(case(user="innocent"), health)
    assert [violation.signature for violation in verdict.violations] == ["H3/server-died"]
    assert decode(verdict.literal, HttpCase) == poison
    [death] = verdict.violations
    assert "this request kills it again" in death.message and "poison" in str(death.evidence["replay"])
    assert bench.judge(case(), health).violations == ()


def test_of_a_case_of_several_requests_the_guilty_one_is_proven(bench: ServerBench) -> None:
    exchanges = [case(user=user).exchanges[0] for user in ("a", "poison", "b")]
    verdict = bench.judge(HttpCase(dialect="openai", exchanges=tuple(exchanges), concurrent=True), [])
    if verdict.violations == ():
        await_death(bench)
        verdict = bench.judge(case(), [])
    assert [violation.signature for violation in verdict.violations] == ["H3/server-died"]
    assert decode(verdict.literal, HttpCase) == case(user="poison")


def test_connections_that_a_death_drops_are_no_failures_of_their_own(bench: ServerBench) -> None:
    watching = [found for found in properties(TargetKind.HTTP) if found.code in ("H1", "H3")]
    exchanges = [case(user=user).exchanges[0] for user in ("sudden", "next")]
    verdict = bench.judge(HttpCase(dialect="openai", exchanges=tuple(exchanges)), watching)
    assert [violation.signature for violation in verdict.violations] == ["H3/server-died"]
