"""Breaking the way the reference executor takes a fault, or a client that leaves, is seen by P35 and P37."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import numpy as np
import pytest

from fuzz.lab.lab import Lab
from fuzz.lab.verdict import judge
from fuzz.properties.registry import find
from targets.contract import FinishReason
from targets.reference import HASH
from targets.reference import executor as engine
from targets.reference.executor import ReferenceExecutor
from targets.reference.faults import RequestFailed
from targets.reference.schedule.scheduler import Scheduler

PROMPT = tuple(range(40, 54))
OTHER = tuple(range(90, 103))


def lab_with(model: Any) -> Lab:
    return Lab(dataclasses.replace(HASH, load=lambda *_: model), "cpu", "float32")


@pytest.fixture
def pair(make_request: Any, make_trace: Any) -> Any:
    return make_trace(
        make_request("a", max_tokens=8, ignore_eos=True), make_request("b", OTHER, max_tokens=8, ignore_eos=True)
    )


def test_the_unbroken_executor_keeps_every_fault_to_one_request(pair: Any, signatures: Any) -> None:
    assert signatures(pair, "P1", "P2", "P12", "P35", "P37") == set()


def test_a_client_that_leaves_before_its_own_error_does_not_fail_with_the_fault(
    make_request: Any, make_trace: Any, signatures: Any
) -> None:
    """The fault ends the first request early; the second one gets on early, too, and to an error of its own."""
    first = make_request("a", max_tokens=20, ignore_eos=True)
    hopeless = make_request("b", OTHER, min_tokens=2, max_tokens=4, stop_token_ids=tuple(range(280)))
    trace = make_trace(first, hopeless, max_batch=1)
    arrivals = (trace.arrivals[0], msgspec.structs.replace(trace.arrivals[1], abort=15))

    assert signatures(msgspec.structs.replace(trace, arrivals=arrivals), "P1", "P2", "P12", "P35") == set()


def test_a_fault_that_strikes_a_request_of_several_samples_before_its_client_leaves_is_its_own(
    make_request: Any, make_trace: Any, signatures: Any
) -> None:
    """Without the fault one sample has ended and the others are cut off; with it all end in an error."""
    trace = make_trace(make_request(prompt=tuple(range(31)), temperature=0.5, seed=16, n=4, max_tokens=1), chunk_size=1)
    arrivals = (msgspec.structs.replace(trace.arrivals[0], abort=34),)

    assert signatures(msgspec.structs.replace(trace, arrivals=arrivals), "P35") == set()


def test_an_exception_from_one_place_has_one_cause_whichever_property_meets_it(
    monkeypatch: pytest.MonkeyPatch, hash_model: Any, pair: Any
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a block")

    monkeypatch.setattr(Scheduler, "_fail", broken)
    met_by_a_fault = judge(lab_with(hash_model), pair, [find("P35")]).violations
    monkeypatch.setattr(ReferenceExecutor, "_settle", broken)
    met_always = judge(lab_with(hash_model), pair, [find("P1")]).violations

    causes = [{one.cause for one in violations} for violations in (met_by_a_fault, met_always)]
    assert causes == [{"raised-KeyError-scheduler.py:_admit"}, {"raised-KeyError-executor.py:_run"}]


def test_p35_sees_a_token_chosen_from_nan(monkeypatch: pytest.MonkeyPatch, pair: Any, signatures: Any) -> None:
    sample = ReferenceExecutor._sample
    monkeypatch.setattr(ReferenceExecutor, "_sample", lambda self, rows, raw: sample(self, rows, np.nan_to_num(raw)))

    assert signatures(pair, "P35") == {"P35/tokens-differ"}


def test_p35_sees_a_fault_that_leaves_the_step(monkeypatch: pytest.MonkeyPatch, pair: Any, signatures: Any) -> None:
    monkeypatch.setattr(ReferenceExecutor, "_advance_or_fail", ReferenceExecutor._advance)

    assert signatures(pair, "P1", "P35") == {"P35/raised-RequestFailed-faults.py:check"}


def test_p35_sees_blocks_that_a_failed_request_keeps(
    monkeypatch: pytest.MonkeyPatch, pair: Any, signatures: Any
) -> None:
    def forgotten(self: Scheduler, sequence: Any, failed: RequestFailed) -> None:
        (self.running if sequence in self.running else self.waiting).remove(sequence)
        self.failed.append((sequence, failed))

    monkeypatch.setattr(Scheduler, "_fail", forgotten)

    assert "P35/blocks-lost" in signatures(pair, "P12", "P35")


def test_p35_sees_that_one_fault_ends_everybody(monkeypatch: pytest.MonkeyPatch, pair: Any, signatures: Any) -> None:
    sample = ReferenceExecutor._sample

    def all_or_none(self: ReferenceExecutor, rows: Any, raw: Any) -> list[int | None]:
        tokens = sample(self, rows, raw)
        return [None for _ in tokens] if None in tokens else tokens

    monkeypatch.setattr(ReferenceExecutor, "_sample", all_or_none)

    assert "P35/several-fail" in signatures(pair, "P35")


@pytest.mark.parametrize("text", ["", "None"])
def test_p35_sees_an_error_that_says_nothing(
    monkeypatch: pytest.MonkeyPatch, pair: Any, signatures: Any, text: str
) -> None:
    monkeypatch.setattr(engine, "_why_unusable", lambda _raw: text)

    assert signatures(pair, "P35") == {"P35/error-without-message"}


def test_p35_sees_a_failure_that_nobody_reports(monkeypatch: pytest.MonkeyPatch, pair: Any, signatures: Any) -> None:
    monkeypatch.setattr(ReferenceExecutor, "_report_failed", lambda self, _events: self._scheduler.failed.clear())

    assert "P35/stuck" in signatures(pair, "P2", "P35")


def test_p37_sees_that_whoever_leaves_takes_a_neighbour_along(
    monkeypatch: pytest.MonkeyPatch, pair: Any, signatures: Any
) -> None:
    abort = ReferenceExecutor.abort

    def shifting(self: ReferenceExecutor, request_id: str) -> None:
        abort(self, request_id)
        for sequence in self._scheduler.running:
            if sequence.finish_reason is not FinishReason.ABORT and sequence.generated > 2:
                sequence.tokens[-1] = 7

    monkeypatch.setattr(ReferenceExecutor, "abort", shifting)

    assert signatures(pair, "P37") == {"P37/tokens-differ"}


def test_p12_sees_blocks_that_stay_behind_at_one_moment_only(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    abort = ReferenceExecutor.abort

    def forgetful(self: ReferenceExecutor, request_id: str) -> None:
        group = self._groups.get(request_id)
        if group and group.sequences[0].generated == 1:
            group.sequences[0].blocks.pop()
        abort(self, request_id)

    monkeypatch.setattr(ReferenceExecutor, "abort", forgetful)

    trace = make_trace(make_request(ignore_eos=True))
    assert signatures(trace, "P12") == set()
    assert signatures(trace, "P12", "P37") == {"P12/blocks-lost"}
