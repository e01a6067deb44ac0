"""H35 on the reference front end: it holds, and breaking how a fault is answered is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from fuzz.lab.server_lab import HttpLab
from fuzz.lab.servers import ServerBench
from fuzz.properties.registry import find
from targets.contract import FaultPoint, FinishReason, InjectsFaults, Output
from targets.errors import UsageError
from targets.http.case import Exchange, HttpCase, Intent
from targets.http.dialects.model import Answer
from targets.http.faults import ServerFaults
from targets.http.locate import reference_target
from targets.http.wire import json_message
from targets.reference.server import app, errors, generation
from targets.reference.server.engine import EngineThread

Judge = Callable[..., set[str]]


@pytest.fixture
def bench() -> Iterator[ServerBench]:
    made = ServerBench(reference_target("openai"), "cpu", "float32", {})
    yield made
    made.close()


@pytest.fixture
def kinds(bench: ServerBench) -> Judge:
    """What H35 says about completions of these prompts that are asked for at once."""

    def judge(*prompts: str, stream: bool = False, checked: bool = True) -> set[str]:
        exchanges = tuple(
            Exchange(
                message=json_message("/v1/completions", _body(prompt, stream)),
                endpoint="completions",
                intent=Intent.VALID,
            )
            for prompt in prompts
        )
        case = HttpCase(dialect="openai", exchanges=exchanges, concurrent=len(exchanges) > 1)
        verdict = bench.judge(case, [find("H35")])
        assert verdict.checked == (("H35",) if checked else ())
        return {violation.signature for violation in verdict.violations}

    return judge


def _body(prompt: str, stream: bool) -> dict[str, Any]:
    return {"model": "reference-hash", "prompt": prompt, "max_tokens": 3, "temperature": 0, "stream": stream}


@pytest.mark.parametrize("stream", [False, True])
def test_the_front_end_keeps_a_fault_to_one_request(kinds: Judge, stream: bool) -> None:
    assert kinds("a cat", "on the mat", stream=stream) == set()


def test_a_server_tells_the_points_of_all_its_layers(bench: ServerBench) -> None:
    assert isinstance(bench.probe, InjectsFaults)
    assert set(bench.probe.fault_points()) >= {"tokenize", "render", "allocation", "logits", "detokenize"}


def test_a_point_that_is_not_there_is_refused(bench: ServerBench) -> None:
    with pytest.raises(UsageError, match="answers 400"):
        ServerFaults(bench.server).inject(FaultPoint("coffee"))


def test_h35_sees_a_fault_after_which_nobody_is_served(monkeypatch: pytest.MonkeyPatch, kinds: Judge) -> None:
    broken: list[Output] = []
    hand_out = EngineThread._hand_out

    def remembering(self: EngineThread, event: Output) -> None:
        if event.finish_reason is FinishReason.ERROR:
            broken.append(event)
        hand_out(self, event)
        if broken:
            self._fail("the engine is in a bad state")

    monkeypatch.setattr(EngineThread, "_hand_out", remembering)

    assert kinds("a cat") == {"H35/canary-fails"}


def test_h35_sees_an_error_outside_the_envelope(monkeypatch: pytest.MonkeyPatch, kinds: Judge) -> None:
    monkeypatch.setattr(errors, "envelope_for", lambda _path: lambda error: {"oops": error.message})

    assert kinds("a cat") == {"H35/envelope"}


def test_h35_sees_a_fault_that_is_blamed_on_the_client(monkeypatch: pytest.MonkeyPatch, kinds: Judge) -> None:
    monkeypatch.setattr(app, "respond", lambda error, path: errors.respond(errors.invalid(error.message), path))

    assert kinds("a cat") == {"H35/refused"}


def test_h35_sees_a_stream_that_ends_without_a_word(monkeypatch: pytest.MonkeyPatch, kinds: Judge) -> None:
    parts = generation.Generation.parts

    async def silent(self: generation.Generation) -> Any:
        try:
            async for part in parts(self):
                yield part
        except errors.ApiError:
            return

    monkeypatch.setattr(generation.Generation, "parts", silent)

    assert {signature.partition("/")[0] for signature in kinds("a cat", stream=True)} == {"H35"}


def test_h35_sees_a_fault_that_changes_the_answer_of_another_request(
    monkeypatch: pytest.MonkeyPatch, kinds: Judge
) -> None:
    failed: list[Output] = []
    hand_out = EngineThread._hand_out

    def spoiling(self: EngineThread, event: Output) -> None:
        if event.finish_reason is FinishReason.ERROR:
            failed.append(event)
        elif failed:
            event = replace(event, text="?")
        hand_out(self, event)

    def run_of_a_fault(self: ServerFaults, fault: FaultPoint | None) -> None:
        failed.clear()
        inject(self, fault)

    inject = ServerFaults.inject
    monkeypatch.setattr(EngineThread, "_hand_out", spoiling)
    monkeypatch.setattr(ServerFaults, "inject", run_of_a_fault)

    assert kinds("a cat", "on the mat") == {"H35/text-differ"}


def test_h35_does_not_blame_a_fault_for_what_company_alone_changes(
    monkeypatch: pytest.MonkeyPatch, kinds: Judge
) -> None:
    def other(found: Answer | None) -> Answer | None:
        assert found is not None
        return replace(found, choices=(replace(found.choices[0], text="something else"),))

    put, put_again = HttpLab.put, HttpLab.put_again
    monkeypatch.setattr(HttpLab, "put", lambda *asked: other(put(*asked)))
    monkeypatch.setattr(HttpLab, "put_again", lambda *asked: other(put_again(*asked)))

    assert kinds("a cat", "on the mat", checked=False) == set()
