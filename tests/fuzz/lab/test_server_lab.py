"""What the lab of a server reads beside the answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from fuzz.lab.server_lab import HttpLab
from targets.http.address import Address
from targets.http.api import HttpApi
from targets.http.client import Client
from targets.http.dialects.model import ApiLimits
from targets.http.mock.server import mock_server
from targets.http.server import Server
from targets.http.wire import json_message


class Silent:
    """A server's output in which nothing ever comes; counts how often it was read."""

    lag = 0.05

    def __init__(self) -> None:
        self.reads = 0

    def output_size(self) -> int:
        return 0

    def output_after(self, start: int) -> str:
        del start
        self.reads += 1
        return ""


def test_a_trace_that_did_not_come_is_waited_for_again_only_after_another_request() -> None:
    with mock_server() as mock:
        client = Client(Address(host="127.0.0.1", port=mock.port), deadline=2.0)
        silent = Silent()
        server = Server(client, HttpApi(dialect="openai", limits=ApiLimits(model="mock")))
        lab = HttpLab(replace(server, logged=cast("Any", silent)))

        reads = []
        for asks in (False, False, True):
            if asks:
                server.ask(json_message("/v1/models", {}))
            before = silent.reads
            lab.log()
            reads.append(silent.reads - before)
    assert reads[0] > 1
    assert reads[1] == 1
    assert reads[2] > 1
