"""What one has without the engines: Hypothesis alone, and Atheris feeding bytes to Hypothesis (`fuzz_one_input`)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from fuzz.bench.engines.discoveries import Discoveries, Search
from fuzz.bench.engines.scheduler import CONTEXT, VOCABULARY, run
from targets.contract import Request, SamplingParams
from targets.trace import Arrival, Trace

ALONE = "Hypothesis alone"
BYTES = "Atheris, fuzz_one_input"

_SETTINGS = settings(
    max_examples=100_000_000,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


def plain_traces() -> st.SearchStrategy[Trace]:
    """Traces as one would write them down at once, without boundary lengths, derived prompts or constants."""
    sampling = st.builds(
        SamplingParams,
        temperature=st.sampled_from([0.0, 0.5, 1.0]),
        top_k=st.integers(0, VOCABULARY),
        seed=st.none() | st.integers(0, 3),
        ignore_eos=st.booleans(),
        max_tokens=st.integers(1, 32),
    )
    prompts = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=CONTEXT - 1).map(tuple)
    arrivals = st.builds(
        Arrival,
        request=st.builds(Request, id=st.just(""), prompt=prompts, sampling=sampling),
        step=st.integers(0, 20),
        abort=st.none() | st.integers(0, 40),
    )
    return st.lists(arrivals, min_size=1, max_size=8).map(_numbered)


def hypothesis_alone(seconds: float, seed: int) -> Search:
    """Random examples for the given time."""
    discoveries = Discoveries()

    def judge(trace: Trace) -> None:
        if discoveries.seconds > seconds:
            raise _TimeIsUp
        discoveries.ran(run(trace))

    while discoveries.seconds < seconds:
        try:
            seeded(seed)(test_of(judge))()
        except _TimeIsUp:
            break
        seed += 1
    return discoveries.search(ALONE, seed)


def bytes_to_hypothesis(seconds: float, seed: int) -> Search:
    """libFuzzer with Atheris' own instrumentation, in a child process. Raises `RuntimeError` with what went wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.bench.engines.byte_fuzzing", str(seconds), str(seed)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
        timeout=seconds + 60,
        check=False,
    )
    try:
        return msgspec.json.decode(done.stdout, type=Search)
    except msgspec.MsgspecError as error:
        raise RuntimeError(f"byte fuzzing ended without a result:\n{done.stderr.decode()[-2000:]}") from error


def test_of(judge: Callable[[Trace], None]) -> Any:
    """The Hypothesis test that hands plain traces to the judge."""

    @_SETTINGS
    @given(plain_traces())
    def test(trace: Trace) -> None:
        judge(trace)

    return test


class _TimeIsUp(BaseException):
    """Not an `Exception`, so that Hypothesis neither shrinks nor repeats it."""


def _numbered(arrivals: list[Arrival]) -> Trace:
    replace = msgspec.structs.replace
    return Trace(
        arrivals=tuple(
            replace(arrival, request=replace(arrival.request, id=f"r{number}"))
            for number, arrival in enumerate(arrivals)
        )
    )
