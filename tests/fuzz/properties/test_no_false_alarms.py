"""The unbroken reference executor breaks no property."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from fuzz.lab.lab import Lab
from fuzz.lab.verdict import judge
from fuzz.properties.model import Cost, Verdict
from fuzz.properties.registry import applicable, capability_names, find
from strategies.generate import generate_trace
from strategies.space import space_of
from targets.contract import Request, SamplingParams, Target, TargetKind
from targets.reference import DECODER, HASH
from targets.trace import Arrival, Trace

PROMPT = tuple(range(40, 54))
OTHER = tuple(range(90, 103))


def eager(target: Target) -> Target:
    """Without the knob that compiles the model, which takes a minute."""
    return dataclasses.replace(target, knobs=tuple(knob for knob in target.knobs if knob.name != "compiled"))


def verdicts(target: Target, count: int, seed: int) -> list[Verdict]:
    """Each trace judged by what observes and by one property that relates runs, all of them in turn."""
    lab, space = Lab(target), space_of(target)
    found = applicable(target, capability_names(lab.bench, TargetKind.EXECUTOR)).applicable
    observing = [one for one in found if one.cost is Cost.OBSERVES]
    relating = [one for one in found if one.cost is Cost.RELATES]
    judged = []
    for index in range(count):
        case = generate_trace(random.Random(seed + index), space, malformed=index % 8 == 7)
        judged.append(judge(lab, case, [*observing, relating[index % len(relating)]]))
    return judged


@pytest.mark.parametrize("target", [DECODER, HASH], ids=lambda target: target.name)
def test_random_traces_break_no_property(target: Target) -> None:
    judged = verdicts(eager(target), 24, seed=1)

    assert [violation for verdict in judged for violation in verdict.violations] == []
    assert sum(verdict.compared for verdict in judged) > 80


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", [DECODER, HASH], ids=lambda target: target.name)
def test_thousands_of_random_traces_break_no_property(target: Target) -> None:
    judged = verdicts(eager(target), 3000, seed=1_000_000)

    assert [violation for verdict in judged for violation in verdict.violations] == []
    compared, excused = sum(one.compared for one in judged), sum(one.excused for one in judged)
    assert excused <= compared / 100


def test_every_executor_property_finds_something_to_compare() -> None:
    target = eager(HASH)
    lab, space = Lab(target), space_of(target)
    found = applicable(target, capability_names(lab.bench, TargetKind.EXECUTOR)).applicable
    # P22 has nothing to compare on the CPU in float32; P26 tests rare cases of one request.
    missing = {one.code for one in found} - {"P22", "P26"}
    for index in range(60):
        case = generate_trace(random.Random(index), space, malformed=index % 8 == 7)
        missing -= {*judge(lab, case, [one for one in found if one.code in missing]).checked}

    assert missing == set()


def test_an_error_is_right_where_every_token_ends_generation_and_none_may_yet() -> None:
    sampling = SamplingParams(temperature=0.0, min_tokens=1, stop_token_ids=tuple(range(HASH.limits.vocab_size)))
    trace = Trace(arrivals=(Arrival(request=Request(id="r", prompt=(5, 6), sampling=sampling)),))
    lab = Lab(HASH)

    verdict = judge(lab, trace, applicable(HASH, capability_names(lab.bench, TargetKind.EXECUTOR)).applicable)

    assert verdict.violations == ()


def test_the_unbroken_executor_passes_where_its_broken_copies_fail(
    make_request: Any, make_trace: Any, signatures: Any
) -> None:
    trace = make_trace(
        make_request("a", temperature=2.0, seed=1, n=2, top_p=0.5, logprobs=3, max_tokens=8),
        make_request("b", OTHER, presence_penalty=1.0, logit_bias={9: 5.0}, stop=("a",), prompt_logprobs=2),
        make_request("c", PROMPT, adapter="formal", cache_salt="s", min_tokens=2),
    )
    codes = ("P4", "P5", "P6", "P9", "P10", "P14", "P18", "P21", "P24", "P25", "P27", "P28", "P29", "P30", "P31", "P33")

    assert signatures(trace, *codes, target=HASH) == set()


def test_draws_are_not_counted_between_candidates_closer_than_rounding() -> None:
    sampling = SamplingParams(temperature=5e-324, seed=29, ignore_eos=True, max_tokens=5)
    trace = Trace(arrivals=(Arrival(request=Request(id="r", prompt=(7,), sampling=sampling)),))

    assert judge(Lab(DECODER), trace, [find("P26")]).violations == ()
