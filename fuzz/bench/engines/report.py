"""The benchmark as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.bench.engines.model import Contestant, EnginesBenchmark


def render(benchmark: EnginesBenchmark) -> str:
    """Plain text; JSON is `msgspec.json.encode(benchmark)`."""
    return "\n".join(_lines(benchmark)) + "\n"


def _lines(benchmark: EnginesBenchmark) -> Iterator[str]:
    planted = f"{len(benchmark.conditions)} planted conditions in a small scheduler"
    yield f"{planted}, {benchmark.seconds:g} s for each of {benchmark.seeds} seeds"
    yield f"  {'':26}{'cases/s':>9}{'found':>16}{'cases until half':>18}{'until all':>11}{'time until all':>16}"
    yield from (_row(contestant) for contestant in benchmark.contestants)
    yield from (f"  {name} is left out: {reason}" for name, reason in benchmark.left_out.items())
    yield f"Cases until each condition was met, median of {benchmark.seeds} seeds"
    yield "  " + " " * 40 + "".join(f"{contestant.name.split(',')[0][:16]:>18}" for contestant in benchmark.contestants)
    for condition in benchmark.conditions:
        cells = (_number(contestant.cases[condition]) for contestant in benchmark.contestants)
        yield f"  {condition:40}" + "".join(f"{cell:>18}" for cell in cells)
    yield (
        f"A case costs the guided engine {benchmark.mutation_seconds * 1e6:.0f} us to make"
        f" and {benchmark.bookkeeping_seconds * 1e6:.0f} us of bookkeeping"
    )
    yield "Goals"
    for goal in benchmark.goals():
        relation = ">=" if goal.at_least else "<="
        yield f"  {'met   ' if goal.met else 'MISSED'} {goal.name}: {goal.value:.4g} (goal {relation} {goal.bound:g})"


def _row(contestant: Contestant) -> str:
    found = ", ".join(str(count) for count in contestant.found)
    until_all = contestant.hardest_seconds
    return (
        f"  {contestant.name:26}{contestant.cases_per_second:>9.0f}{found:>16}"
        f"{_number(contestant.median_cases):>18}{_number(contestant.hardest_cases):>11}"
        f"{'not found' if until_all is None else f'{until_all:.2f} s':>16}"
    )


def _number(value: float | None) -> str:
    return "not found" if value is None else f"{value:.0f}"
