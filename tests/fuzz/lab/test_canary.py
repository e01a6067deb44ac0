"""The canary of a server, and what is said when a fresh server does not answer it."""

from __future__ import annotations

import pytest

from fuzz.lab.canary import first_canary
from targets.errors import UsageError
from targets.http.address import Address
from targets.http.api import HttpApi
from targets.http.client import Client
from targets.http.dialects.model import ApiLimits
from targets.http.mock.server import MockServer, mock_server
from targets.http.reply import End, Reply
from targets.http.server import Server


def opened(mock: MockServer, model: str) -> Server:
    client = Client(Address(host="127.0.0.1", port=mock.port), deadline=2.0)
    return Server(client, HttpApi(dialect="openai", limits=ApiLimits(model=model)))


def test_a_server_that_knows_the_model_by_another_name_is_asked_for_it() -> None:
    with mock_server() as mock, pytest.raises(UsageError, match=r"for model 'default': 404 .*try --model mock, or"):
        first_canary(opened(mock, "default"))


def test_the_answer_of_a_fresh_server_is_what_later_ones_are_compared_with() -> None:
    with mock_server() as mock:
        server = opened(mock, "mock")
        canary = first_canary(server)
        assert canary.difference(server, server.ask(canary.message), "after the case") is None
        lost = canary.difference(server, Reply(end=End.CLOSED), "after the case")
    assert lost == ("canary-fails", "a plain request gets no answer (closed) after the case")
