"""H31 on penalties, on the reference front end: it holds, and a penalty that reads the wrong field is seen."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fuzz.lab.servers import ServerBench
from fuzz.properties.model import Verdict
from fuzz.properties.registry import find
from targets.contract import SamplingParams
from targets.http.case import Exchange, HttpCase, Intent
from targets.http.locate import reference_target
from targets.http.wire import json_message
from targets.reference.server import ollama


def verdict() -> Verdict:
    options = {"temperature": 0, "num_predict": 4}
    body: dict[str, Any] = {"model": "reference-hash", "prompt": "hi", "options": options}
    asked = Exchange(message=json_message("/api/generate", body), endpoint="generate", intent=Intent.VALID)
    bench = ServerBench(reference_target("ollama"), "cpu", "float32", {})
    try:
        return bench.judge(HttpCase(dialect="ollama", exchanges=(asked,)), [find("H31")])
    finally:
        bench.close()


def test_the_front_end_obeys_penalties() -> None:
    assert (verdict().violations, verdict().checked) == ((), ("H31",))


def test_h31_sees_a_frequency_penalty_taken_from_another_field(monkeypatch: pytest.MonkeyPatch) -> None:
    read = ollama._sampling

    def mistaken(*known: Any) -> SamplingParams:
        found = read(*known)
        return msgspec.structs.replace(found, frequency_penalty=found.presence_penalty)

    monkeypatch.setattr(ollama, "_sampling", mistaken)

    assert {one.signature for one in verdict().violations} == {"H31/frequency-penalty-ignored"}
