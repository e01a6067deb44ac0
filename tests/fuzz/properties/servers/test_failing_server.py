"""What a server of ours raised is told apart by request: its log is read where the answer says nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from fuzz.lab.servers import ServerBench
from fuzz.properties.registry import properties
from targets.contract import TargetKind
from targets.http.case import Exchange, HttpCase
from targets.http.locate import command_target
from targets.http.process import ServerCommand
from targets.http.wire import json_message

SERVER = """
import http.server, json, sys, traceback
ANSWER = {"id": "x", "object": "text_completion", "created": 5, "model": "m",
    "choices": [{"index": 0, "text": "a", "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
def first(): raise KeyError("no answer says this")
def second(): raise TypeError("nor this")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, kind, text = 200, "application/json", json.dumps(ANSWER)
        try:
            {"first": first, "second": second}.get(body.get("user"), str)()
        except Exception:
            traceback.print_exc()
            status, kind, text = 500, "text/plain", "Internal Server Error"
        if body.get("stream"):
            kind = "text/event-stream"
            status, text = 200, "" if status == 500 else "data: [DONE]\\n\\n"
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerBench]:
    script = tmp_path_factory.mktemp("server") / "server.py"
    script.write_text(SERVER)
    target = command_target(ServerCommand(f"{sys.executable} {script} {{port}}", patience=20), "openai")
    made = ServerBench(target, "cpu", "float32", {})
    yield made
    made.close()


def causes(bench: ServerBench, *exchanges: Exchange) -> dict[str, str]:
    valid = [found for found in properties(TargetKind.HTTP) if found.code == "H5"]
    verdict = bench.judge(HttpCase(dialect="openai", exchanges=exchanges), valid)
    return {violation.signature: violation.cause for violation in verdict.violations}


def exchange(user: str, *, stream: bool = False) -> Exchange:
    body = {"model": "default", "prompt": "x", "user": user, "stream": stream}
    return Exchange(message=json_message("/v1/completions", body), endpoint="completions")


def test_two_requests_that_fail_in_two_places_are_two_causes(bench: ServerBench) -> None:
    assert causes(bench, exchange("first"), exchange("second")) == {
        "H5/server-error/KeyError-server.py:first": "500 KeyError-server.py:first",
        "H5/server-error/TypeError-server.py:second": "500 TypeError-server.py:second",
    }


def test_a_stream_that_breaks_off_has_the_cause_of_the_failure_at_once(bench: ServerBench) -> None:
    found = causes(bench, exchange("first", stream=True))
    assert found["H5/no-done/KeyError-server.py:first"] == "500 KeyError-server.py:first"


def test_two_streams_that_break_off_in_two_places_are_two_causes(bench: ServerBench) -> None:
    found = causes(bench, exchange("first", stream=True), exchange("second", stream=True))
    assert {"500 KeyError-server.py:first", "500 TypeError-server.py:second"} == set(found.values())
