from __future__ import annotations

import random

from fuzz.bench.engines import planted_space, scheduler
from fuzz.bench.engines.planted import PlantedHarness
from targets.contract import Request, SamplingParams
from targets.trace import Arrival, Trace


def arrival(name: str, *prompt: int, step: int = 0, abort: int | None = None, **sampling: object) -> Arrival:
    made = SamplingParams(**{"temperature": 0.0, "ignore_eos": True, **sampling})  # type: ignore[arg-type]
    return Arrival(request=Request(id=name, prompt=prompt, sampling=made), step=step, abort=abort)


def test_conditions_depend_on_what_several_requests_do_together() -> None:
    first = arrival("a", *range(2, 10), max_tokens=20)
    again = arrival("b", *range(2, 10), step=4)
    assert scheduler.run(Trace(arrivals=(first,))) == frozenset()
    assert scheduler.run(Trace(arrivals=(again,))) == frozenset()
    assert scheduler.run(Trace(arrivals=(first, again))) == {"full-hit-on-block-border"}


def test_equal_traces_meet_equal_conditions() -> None:
    generator = random.Random(2)
    space = planted_space()
    for _ in range(50):
        trace = space.generate(generator)
        assert isinstance(trace, Trace)
        assert scheduler.run(trace) == scheduler.run(trace)


def test_what_is_met_is_among_what_is_planted_and_any_trace_ends() -> None:
    generator = random.Random(3)
    space = planted_space()
    met: set[str] = set()
    trace = space.generate(generator)
    for _ in range(1500):
        trace = space.mutate(trace, generator) if generator.random() < 0.9 else space.generate(generator)
        assert isinstance(trace, Trace)
        met |= scheduler.run(trace)
    assert met <= set(scheduler.CONDITIONS)
    assert len(met) >= 6


def test_probes_do_not_change_what_is_met() -> None:
    harness = PlantedHarness()
    generator = random.Random(4)
    space = planted_space()
    plainly: set[str] = set()
    for _ in range(200):
        trace = space.generate(generator)
        assert isinstance(trace, Trace)
        plainly |= scheduler.run(trace)
        harness.run(trace)
    assert set(harness.discoveries.search("x", 0).first) == plainly
    assert any(harness.probes)
