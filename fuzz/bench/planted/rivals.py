"""What a campaign is compared with, on the same executor and judged by the same properties."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import msgspec

from fuzz.campaign.spaces import CampaignSpace
from fuzz.engines.choice import choose
from fuzz.engines.loop import drive
from fuzz.engines.model import Case, CaseSpace, Engine, Event, Harness, Plan
from fuzz.engines.novelty import Novelty
from targets.contract import Limits, Request, SamplingParams, Target, TargetKind
from targets.errors import UsageError
from targets.http.api import HttpApi
from targets.trace import Arrival, Trace

if TYPE_CHECKING:
    # Importing Hypothesis takes half a second, which only this rival should pay.
    from hypothesis.strategies import SearchStrategy

PLAIN_HYPOTHESIS = "plain-hypothesis"
"""Hypothesis draws plain cases."""
FUZZ_ONE_INPUT = "fuzz-one-input"
"""Atheris feeds bytes to Hypothesis, which reads plain cases from them."""
SCHEMATHESIS = "schemathesis"
"""Tests a server against its OpenAPI document, by checks of its own."""
RIVALS = (PLAIN_HYPOTHESIS, FUZZ_ONE_INPUT, SCHEMATHESIS)


def fits(name: str, kind: TargetKind) -> bool:
    """Whether an engine or a rival has cases for targets of a kind."""
    if name == SCHEMATHESIS:
        return kind is TargetKind.HTTP
    return name not in RIVALS or kind is not TargetKind.GRAPH


def engine_of(name: str, space: CampaignSpace, target: Target) -> tuple[Engine, CaseSpace]:
    """An engine or a rival by name, and the cases it searches. Raises `UsageError`."""
    if not fits(name, target.kind):
        raise UsageError(f"{name} has no cases for target {target.name!r}, which is a {target.kind.value}.")
    if name == PLAIN_HYPOTHESIS:
        return _without_corpus, PlainSpace(space, target.limits, target.api)
    if name == FUZZ_ONE_INPUT:
        return fuzz_one_input, PlainSpace(space, target.limits, target.api)
    engine, _ = choose(name)
    return engine, space


def fuzz_one_input(harness: Harness, space: CaseSpace, plan: Plan) -> Iterator[Event]:
    """libFuzzer in a child process, as in the engine atheris, but with its own mutations of bytes."""
    from fuzz.engines.atheris import AtherisChooser

    chooser = AtherisChooser(space, plan, "fuzz.bench.planted.byte_process")
    return drive(FUZZ_ONE_INPUT, chooser, harness, plan, Novelty(len(harness.probes)))


def _without_corpus(harness: Harness, space: CaseSpace, plan: Plan) -> Iterator[Event]:
    engine, _ = choose("hypothesis")
    return engine(harness, space, Plan(seed=plan.seed, seconds=plan.seconds, executions=plan.executions))


@dataclass(frozen=True)
class PlainSpace:
    """The cases that one writes down at once: independent requests, no boundary lengths, no derived prompts."""

    full: CampaignSpace
    limits: Limits
    api: HttpApi | None = None
    """Of a server."""

    def strategy(self) -> SearchStrategy[Case]:
        """Plain traces, or plain exchanges with a server."""
        if self.api is None:
            return plain_traces(self.limits)
        from fuzz.bench.planted.plain_exchanges import plain_exchanges

        return plain_exchanges(self.api)

    def generate(self, generator: Random) -> Case:
        """Not what this rival uses; as a campaign does it."""
        return self.full.generate(generator)

    def mutate(self, case: Case, generator: Random) -> Case:
        """As a campaign does it."""
        return self.full.mutate(case, generator)

    def crossover(self, first: Case, second: Case, generator: Random) -> Case:
        """As a campaign does it."""
        return self.full.crossover(first, second, generator)

    def decode(self, data: bytes) -> Case:
        """A case from its JSON."""
        return self.full.decode(data)


def plain_traces(limits: Limits) -> SearchStrategy[Case]:
    """Up to six requests with prompts of up to 64 tokens and the usual options over their usual ranges."""
    from hypothesis import strategies as st

    sampling = st.builds(
        SamplingParams,
        temperature=st.sampled_from([0.0, 0.7, 1.0, 1.5]),
        top_k=st.integers(0, limits.vocab_size),
        top_p=st.floats(0.05, 1.0),
        min_p=st.floats(0.0, 0.5),
        repetition_penalty=st.floats(0.5, 2.0),
        presence_penalty=st.floats(-2.0, 2.0),
        frequency_penalty=st.floats(-2.0, 2.0),
        logit_bias=st.dictionaries(st.integers(0, limits.vocab_size - 1), st.floats(-100.0, 100.0), max_size=3),
        seed=st.integers(0, 1000),
        stop=st.lists(st.text(min_size=1, max_size=3), max_size=2).map(tuple),
        ignore_eos=st.booleans(),
        max_tokens=st.integers(1, 24),
        logprobs=st.none() | st.integers(0, 5),
    )
    prompts = st.lists(st.integers(0, limits.vocab_size - 1), min_size=1, max_size=64).map(tuple)
    arrivals = st.builds(
        Arrival,
        request=st.builds(Request, id=st.just(""), prompt=prompts, sampling=sampling),
        step=st.integers(0, 20),
        abort=st.none() | st.integers(0, 40),
    )
    return st.lists(arrivals, min_size=1, max_size=6).map(_numbered)


def _numbered(arrivals: list[Arrival]) -> Trace:
    named = (
        msgspec.structs.replace(arrival, request=msgspec.structs.replace(arrival.request, id=f"r{number}"))
        for number, arrival in enumerate(arrivals)
    )
    return Trace(arrivals=tuple(named))
