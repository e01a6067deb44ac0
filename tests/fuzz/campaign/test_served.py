"""A server that lives in the worker goes with it when it was wounded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fuzz.campaign.served import Served
from fuzz.properties.model import Verdict, Violation
from targets import registry
from targets.http.locate import command_target
from targets.http.process import ServerCommand


@pytest.fixture
def served() -> Iterator[Served]:
    kept = Served(registry.find("reference-openai"))
    yield kept
    kept.close()


@pytest.mark.parametrize(("code", "wounded"), [("H2", True), ("H3", True), ("H12", True), ("H4", False)])
def test_a_server_of_which_blocks_or_answers_are_missing_is_not_trusted_with_the_next_case(
    served: Served, code: str, wounded: bool
) -> None:
    verdict = Verdict(violations=(Violation(code=code, slug="slug", message="m"),))
    assert served.wounded(verdict) is wounded


def test_a_server_of_its_own_is_restarted_by_those_who_ask_it() -> None:
    served = Served(command_target(ServerCommand("server --port {port}"), "openai"))
    verdict = Verdict(violations=(Violation(code="H3", slug="slug", message="m"),))
    assert not served.wounded(verdict)
    served.close()
