"""Labs of the reference executor, short ways to write traces, and verdicts as sets of signatures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from fuzz.lab.lab import Lab
from fuzz.lab.verdict import judge
from fuzz.properties.registry import find
from targets.contract import KnobValue, Request, SamplingParams
from targets.reference import DECODER, HASH
from targets.trace import Arrival, Trace

PROMPT = tuple(range(40, 54))
"""Three blocks of four tokens and a half."""

MakeRequest = Callable[..., Request]
MakeTrace = Callable[..., Trace]
Signatures = Callable[..., set[str]]


@pytest.fixture(scope="session")
def decoder_model() -> Any:
    return DECODER.load("cpu", "float32")


@pytest.fixture(scope="session")
def hash_model() -> Any:
    return HASH.load("cpu", "float32")


@pytest.fixture
def make_request() -> MakeRequest:
    """A greedy request of four tokens; keywords of `SamplingParams`, `adapter` and `cache_salt` change it."""

    def make(name: str = "r", prompt: tuple[int, ...] = PROMPT, **options: Any) -> Request:
        keys = {key: options.pop(key) for key in ("adapter", "cache_salt") if key in options}
        sampling = SamplingParams(**{"temperature": 0.0, "max_tokens": 4, **options})
        return Request(id=name, prompt=prompt, sampling=sampling, **keys)

    return make


@pytest.fixture
def make_trace() -> MakeTrace:
    """A trace of requests or arrivals; requests arrive one step after another."""

    def make(*parts: Request | Arrival, **knobs: KnobValue) -> Trace:
        arrivals = (
            part if isinstance(part, Arrival) else Arrival(request=part, step=place) for place, part in enumerate(parts)
        )
        return Trace(arrivals=tuple(arrivals), knobs=knobs)

    return make


@pytest.fixture
def signatures(hash_model: Any) -> Signatures:
    """What the named properties say about a trace on the hash model, in a lab of its own."""

    def run(trace: Trace, *codes: str, target: Any = HASH, model: Any = None, dtype: str = "float32") -> set[str]:
        lab = Lab(target, "cpu", dtype) if dtype != "float32" else lab_of(target, model or hash_model)
        verdict = judge(lab, trace, [find(code) for code in codes])
        assert set(codes) <= {*verdict.checked, *verdict.vacuous}
        return {violation.signature for violation in verdict.violations}

    return run


def lab_of(target: Any, model: Any) -> Lab:
    """A lab that takes a loaded model instead of loading one."""
    return Lab(dataclasses.replace(target, load=lambda *_: model), "cpu", "float32")
