"""How often generated traces reach the states in which engines break, measured on the reference executor.

The floors are about half of what was measured with 1,000 traces, so that chance alone does not break them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from unittest.mock import patch

import pytest
import torch

from fuzz.lab.lab import Lab
from fuzz.lab.recording import Recording
from strategies.generate import generate_trace
from strategies.mutate import mutate
from strategies.space import Space, space_of
from targets.contract import FinishReason, Target
from targets.reference import HASH
from targets.reference.schedule.scheduler import Scheduler, Work
from targets.reference.schedule.sequence import Sequence
from targets.trace import Trace

COUNT = 250

GENERATED_FLOORS = {
    "prefix reuse": 0.20,
    "block border": 0.70,
    "several rows in a batch": 0.50,
    "prefill beside decode": 0.30,
    "prompt in several chunks": 0.15,
    "speculative drafts": 0.07,
    "abort": 0.10,
    "abort while decoding": 0.04,
    "abort before the first token": 0.03,
    "preemption": 0.015,
    "preemption of one of several samples": 0.015,
    "stop string": 0.08,
    "stop token or end of sequence": 0.03,
    "end at max_tokens": 0.70,
}


def without_compilation(trace: Trace) -> Trace:
    knobs = {name: value for name, value in trace.knobs.items() if name != "compiled"}
    return Trace(arrivals=trace.arrivals, knobs=knobs)


class Observer:
    """Notes what the scheduler of the reference executor does while a trace runs."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def schedule(self, original: Callable[[Scheduler], list[Work]], scheduler: Scheduler) -> list[Work]:
        work = original(scheduler)
        size = scheduler._settings.block_size
        kinds = {"decode" if item.known == 1 and item.sequence.generated else "prefill" for item in work}
        notes = {
            "several rows in a batch": len(work) > 1,
            "prefill beside decode": len(kinds) == 2,
            "prompt in several chunks": any(item.sequence.computed and not item.completes for item in work),
            "speculative drafts": any(item.drafts for item in work),
            "block border": any((item.sequence.computed + item.known) % size == 0 for item in work),
        }
        self.seen |= {name for name, happened in notes.items() if happened}
        return work

    def preempt(self, original: Callable[[Scheduler, Sequence], None], scheduler: Scheduler, victim: Sequence) -> None:
        self.seen.add("preemption")
        if len(victim.group.sequences) > 1:
            self.seen.add("preemption of one of several samples")
        original(scheduler, victim)


def answered(recording: Recording) -> Iterator[str]:
    """What the outputs of a run tell."""
    for answer in recording.answers.values():
        decoded = any(sample.tokens for sample in answer.samples)
        if answer.aborted is not None:
            yield "abort"
            yield "abort while decoding" if decoded else "abort before the first token"
        for sample in answer.samples:
            if sample.usage is not None and sample.usage.cached_tokens:
                yield "prefix reuse"
            if isinstance(sample.stop_reason, str):
                yield "stop string"
            elif sample.finish_reason == FinishReason.STOP:
                yield "stop token or end of sequence"
            if sample.finish_reason == FinishReason.LENGTH:
                yield "end at max_tokens"


@pytest.fixture(scope="module")
def target() -> Target:
    return HASH


@pytest.fixture(scope="module")
def measure(target: Target) -> Iterator[Callable[[list[Trace]], Counter[str]]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    lab = Lab(target)

    def shares(traces: list[Trace]) -> Counter[str]:
        counted: Counter[str] = Counter()
        schedule, preempt = Scheduler.schedule, Scheduler._preempt
        for trace in traces:
            observer = Observer()
            lab.begin(without_compilation(trace))
            with (
                patch.object(Scheduler, "schedule", lambda self: observer.schedule(schedule, self)),  # noqa: B023
                patch.object(Scheduler, "_preempt", lambda self, row: observer.preempt(preempt, self, row)),  # noqa: B023
            ):
                recording = lab.base
            counted.update(observer.seen | set(answered(recording)))
            counted["refused"] += any(answer.rejection is not None for answer in recording.answers.values())
        return counted

    yield shares
    torch.set_num_threads(threads)


def below(counted: Counter[str], floors: dict[str, float], count: int) -> dict[str, float]:
    shares = {name: counted[name] / count for name in floors}
    return {name: share for name, share in shares.items() if share < floors[name]}


def generated(space: Space, *, seed: int, count: int = COUNT) -> list[Trace]:
    random = Random(seed)
    return [generate_trace(random, space) for _ in range(count)]


@pytest.mark.parametrize("seed", [1, 2])
def test_generated_traces_reach_the_states_in_which_engines_break(
    target: Target, measure: Callable[[list[Trace]], Counter[str]], seed: int
) -> None:
    counted = measure(generated(space_of(target), seed=seed))
    assert below(counted, GENERATED_FLOORS, COUNT) == {}


def test_mutated_traces_reach_them_as_well(target: Target, measure: Callable[[list[Trace]], Counter[str]]) -> None:
    random, space = Random(3), space_of(target)
    # Edits make some states half as frequent, and what is rare needs more traces to be counted.
    count = 3 * COUNT
    traces = generated(space, seed=4, count=count)
    for _ in range(5):
        traces = [mutate(trace, random, space) for trace in traces]
    floors = {name: floor * 0.4 for name, floor in GENERATED_FLOORS.items()}
    assert below(measure(traces), floors, count) == {}


def test_the_reference_executor_serves_every_valid_trace(
    target: Target, measure: Callable[[list[Trace]], Counter[str]]
) -> None:
    assert measure(generated(space_of(target), seed=5))["refused"] == 0
