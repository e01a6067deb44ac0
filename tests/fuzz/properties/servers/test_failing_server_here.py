"""What a server in this process raised is told by its log, for every property that meets it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from fuzz.lab.servers import ServerBench
from fuzz.properties.registry import properties
from targets.contract import TargetKind
from targets.http.case import Exchange, HttpCase
from targets.http.locate import reference_target
from targets.http.logged import LoggedHere
from targets.http.wire import json_message
from targets.reference.server.front_end import FrontEnd
from targets.reference.server.generation import Generation


@pytest.fixture
def bench() -> Iterator[ServerBench]:
    made = ServerBench(reference_target("openai"), "cpu", "float32", {})
    yield made
    made.close()


def fail(*_: object) -> None:
    raise KeyError("the table has no such entry")


def causes(bench: ServerBench, code: str, *, stream: bool = False) -> dict[str, str]:
    body = {"model": "reference-hash", "prompt": "x", "max_tokens": 2, "stream": stream}
    exchange = Exchange(message=json_message("/v1/completions", body), endpoint="completions")
    chosen = [found for found in properties(TargetKind.HTTP) if found.code == code]
    verdict = bench.judge(HttpCase(dialect="openai", exchanges=(exchange,)), chosen)
    return {violation.signature: violation.cause for violation in verdict.violations}


def test_a_request_that_fails_and_a_server_that_stays_broken_have_one_cause(
    bench: ServerBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FrontEnd, "begin", fail)
    place = "KeyError-test_failing_server_here.py:fail"
    assert causes(bench, "H5") == {f"H5/server-error/{place}": f"500 {place}"}
    assert causes(bench, "H3") == {"H3/canary-fails": f"500 {place}"}


def test_a_stream_that_breaks_off_has_the_cause_of_the_failure_at_once(
    bench: ServerBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Generation, "_part", fail)
    place = "KeyError-test_failing_server_here.py:fail"
    assert causes(bench, "H1", stream=True) == {f"H1/truncated/{place}": f"500 {place}"}


def test_what_is_logged_after_the_answer_is_waited_for(bench: ServerBench, monkeypatch: pytest.MonkeyPatch) -> None:
    emit = LoggedHere.emit

    def late(self: LoggedHere, record: logging.LogRecord) -> None:
        threading.Timer(0.1, emit, (self, record)).start()

    monkeypatch.setattr(LoggedHere, "emit", late)
    monkeypatch.setattr(FrontEnd, "begin", fail)
    place = "KeyError-test_failing_server_here.py:fail"
    assert causes(bench, "H5") == {f"H5/server-error/{place}": f"500 {place}"}
