"""The benchmark as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.bench.containment.model import ContainmentBenchmark, Goal, Soak


def render(benchmark: ContainmentBenchmark) -> str:
    """Plain text, one figure a line; JSON is `msgspec.json.encode(benchmark)`."""
    return "\n".join(_lines(benchmark)) + "\n"


def _lines(benchmark: ContainmentBenchmark) -> Iterator[str]:
    yield f"Calls of {benchmark.call_seconds * 1e3:.2f} ms with {benchmark.payload_bytes} bytes each way"
    for row in benchmark.throughputs:
        low, high = row.spread
        yield f"  {row.name:20} {row.calls_per_second:8.0f} calls/s   {row.ratio:.3f} of bare ({low:.3f} to {high:.3f})"
    yield "Ready again"
    for recovery in benchmark.recoveries:
        median, worst = recovery.median_seconds * 1e3, recovery.worst_seconds * 1e3
        yield (
            f"  after {recovery.fault:22} median {median:6.1f} ms, worst {worst:6.1f} ms"
            f" from its detection ({recovery.samples} times)"
        )
    if benchmark.torch_import_seconds is not None:
        yield f"  a fresh import of torch       {benchmark.torch_import_seconds * 1e3:6.0f} ms"
    if benchmark.soak is not None:
        yield from _soak_lines(benchmark.soak)
    yield "Goals"
    yield from (_goal_line(goal) for goal in benchmark.goals())


def _soak_lines(soak: Soak) -> Iterator[str]:
    yield f"{soak.faults} faults in random order (seed {soak.seed}) in {soak.seconds:.0f} s"
    yield f"  wrong outcomes {len(soak.wrong)}, guilty cases not recorded {len(soak.unrecorded)}"
    yield from (f"    wrong: {text}" for text in soak.wrong)
    yield from (f"    not recorded: {text}" for text in soak.unrecorded)
    yield (
        f"  supervisor: {soak.memory_before / 1e6:.1f} -> {soak.memory_after / 1e6:.1f} MB resident, "
        f"{soak.descriptors_before} -> {soak.descriptors_after} descriptors, {soak.processes_left} processes left"
    )
    if soak.unavailable:
        yield f"  not possible on this machine: {', '.join(soak.unavailable)}"


def _goal_line(goal: Goal) -> str:
    relation = ">=" if goal.at_least else "<="
    return f"  {'met   ' if goal.met else 'MISSED'} {goal.name}: {goal.value:.4g} (goal {relation} {goal.bound:g})"
