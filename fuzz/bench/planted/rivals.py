"""What a campaign is compared with, on the same executor and judged by the same properties."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import msgspec

from fuzz.campaign.spaces import CampaignSpace
from fuzz.engines.choice import choose
from fuzz.engines.model import Case, CaseSpace, Engine, Event, Harness, Plan
from targets.contract import Limits, Request, SamplingParams, Target, TargetKind
from targets.errors import UsageError
from targets.trace import Arrival, Trace

if TYPE_CHECKING:
    # Importing Hypothesis takes half a second, which only this rival should pay.
    from hypothesis.strategies import SearchStrategy

PLAIN_HYPOTHESIS = "plain-hypothesis"
RIVALS = (PLAIN_HYPOTHESIS,)


def engine_of(name: str, space: CampaignSpace, target: Target) -> tuple[Engine, CaseSpace]:
    """An engine or a rival by name, and the cases it searches. Raises `UsageError`."""
    if name == PLAIN_HYPOTHESIS:
        if target.kind is not TargetKind.EXECUTOR:
            raise UsageError(f"{name} writes traces for executors, and target {target.name!r} is none.")
        return _without_corpus, PlainSpace(space, target.limits)
    engine, _ = choose(name)
    return engine, space


def _without_corpus(harness: Harness, space: CaseSpace, plan: Plan) -> Iterator[Event]:
    engine, _ = choose("hypothesis")
    return engine(harness, space, Plan(seed=plan.seed, seconds=plan.seconds, executions=plan.executions))


@dataclass(frozen=True)
class PlainSpace:
    """The traces that one writes down at once: independent requests, no boundary lengths, no derived prompts."""

    full: CampaignSpace
    limits: Limits

    def strategy(self) -> SearchStrategy[Case]:
        """Plain traces."""
        return plain_traces(self.limits)

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
        """A trace from its JSON."""
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
