"""What containment costs and how soon it recovers, as ratios measured in one run."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.bench.containment import recovery, soak, throughput, work
from fuzz.bench.containment.model import ContainmentBenchmark
from fuzz.bench.containment.report import render

_CALL_SECONDS = 0.001
_PAYLOAD_BYTES = 10_000

__all__ = ["ContainmentBenchmark", "render", "run"]


def run(
    *,
    rounds: int = 150,
    calls: int = 10,
    recoveries: int = 15,
    faults: int = 200,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> ContainmentBenchmark:
    """Measure everything; about 40 s with the defaults, and 0.1 s more for each further fault.

    `rounds` x `calls` 1 ms calls for each contender, `recoveries` crashes and as many hangs, and a soak of `faults`
    faults (0 leaves it out). `progress` gets a line before each part.
    """
    progress("calibrating a call of 1 ms")
    count = work.calibrate(_CALL_SECONDS)
    progress(f"throughput: {rounds} rounds of {calls} calls for each contender")
    throughputs = throughput.measure(rounds, calls, count, _PAYLOAD_BYTES)
    progress(f"recovery: {recoveries} crashes and {recoveries} hangs")
    recovered = recovery.measure(recoveries)
    torch_seconds = recovery.torch_import_seconds()
    if faults:
        progress(f"soak: {faults} faults in random order")
    return ContainmentBenchmark(
        call_seconds=1 / throughputs[0].calls_per_second,
        payload_bytes=_PAYLOAD_BYTES,
        throughputs=throughputs,
        recoveries=recovered,
        torch_import_seconds=torch_seconds,
        soak=soak.measure(faults, seed) if faults else None,
    )
