"""H43 where a server closes the connection: a difference, unless closing is an answer to the request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from fuzz.lab.server_lab import HttpLab
from fuzz.lab.servers import ServerBench
from fuzz.properties.registry import find
from strategies.http.cases import judged
from strategies.http.space import HttpSpace
from targets.http.case import Exchange, HttpCase
from targets.http.locate import reference_target
from targets.http.reply import End, Reply
from targets.http.wire import json_message

TARGET = reference_target("openai")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerBench]:
    """The front end, which closes the connection on the second way of asking."""
    monkeypatch.setattr(HttpLab, "send", lambda _lab, _exchange: Reply(end=End.CLOSED))
    bench = ServerBench(TARGET, "cpu", "float32", {})
    yield bench
    bench.close()


def hot(**more: Any) -> Exchange:
    assert TARGET.api is not None
    body = {"model": "reference-hash", "prompt": "hi", "max_tokens": 4, "temperature": 3, **more}
    message = json_message("/v1/completions", body)
    return judged(HttpSpace(api=TARGET.api), Exchange(message=message, endpoint="completions"))


def signatures(bench: ServerBench, exchange: Exchange) -> set[str]:
    verdict = bench.judge(HttpCase(dialect="openai", exchanges=(exchange,)), [find("H43")])
    return {violation.signature for violation in verdict.violations}


def test_a_stream_that_is_refused_by_closing_differs_from_an_error(bench: ServerBench) -> None:
    assert signatures(bench, hot()) == {"H43/closed"}


@pytest.mark.parametrize(
    "exchange",
    [msgspec.structs.replace(hot(), half_close=True), hot(user="u" * 300_000)],
    ids=["cut-short", "large"],
)
def test_closing_is_an_answer_to_a_message_cut_short_and_to_a_large_body(
    bench: ServerBench, exchange: Exchange
) -> None:
    assert signatures(bench, exchange) == set()
