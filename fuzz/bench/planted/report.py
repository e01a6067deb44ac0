"""The benchmark of planted bugs for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fuzz.bench.planted.model import BugResult, Hunt, PlantedBenchmark, Spread, spread


def show(benchmark: PlantedBenchmark, console: Console) -> None:
    """A row for each bug, then the figures over all of them."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("bug", "found", "by"):
        table.add_column(title, no_wrap=True)
    for title in ("cases", "cpu s", "requests", "findings", "replays"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("otherwise", no_wrap=True)
    for result in benchmark.results:
        table.add_row(*_cells(result))
    console.print(table)
    for line in _score_lines(benchmark):
        console.print(Text(line))
    for hunt in (hunt for result in benchmark.results for hunt in result.hunts if hunt.problem):
        console.print(Text(f"{hunt.bug}, seed {hunt.seed}: {hunt.problem}", style="red"))


def _cells(result: BugResult) -> tuple[Text | str, ...]:
    found = result.found
    style = "green" if len(found) == len(result.hunts) else "yellow" if found else "bold red"
    return (
        result.bug,
        Text(f"{len(found)} of {len(result.hunts)}", style=style),
        _counted(hunt.by for hunt in found),
        _shown(spread([hunt.executions for hunt in found]), 0),
        _shown(spread([hunt.cpu_seconds for hunt in found]), 1),
        _shown(spread([hunt.requests for hunt in found]), 0),
        _shown(spread([hunt.findings for hunt in found]), 0),
        _replays(found),
        _counted(_reach(hunt) for hunt in result.hunts if not hunt.found),
    )


def _reach(hunt: Hunt) -> str:
    if hunt.problem:
        return "not held"
    return hunt.reach.value if hunt.reach else "not looked at"


def _replays(hunts: Sequence[Hunt]) -> str:
    """`10/10`: of the hunt whose finding repeated least."""
    least = min((hunt for hunt in hunts if hunt.replays), key=lambda hunt: hunt.repeated, default=None)
    return f"{least.repeated}/{least.replays}" if least else ""


def _counted(names: Iterable[str]) -> str:
    counts = Counter(names)
    return ", ".join(name if len(counts) == 1 else f"{name} x{count}" for name, count in counts.most_common())


def _shown(values: Spread | None, digits: int) -> str:
    if values is None:
        return ""
    if values.low == values.high:
        return f"{values.median:,.{digits}f}"
    return f"{values.median:,.{digits}f} ({values.low:,.{digits}f} to {values.high:,.{digits}f})"


def _score_lines(benchmark: PlantedBenchmark) -> Sequence[str]:
    score = benchmark.score
    start = "the shipped seeds" if benchmark.corpus else "nothing"
    lines = [
        f"{benchmark.engine}, {benchmark.seconds:g} s of processor time a bug, {benchmark.seeds} seeds, from {start}",
        f"found {score.found} of {score.bugs} bugs, {score.found_reliably} with at least nine of ten seeds",
    ]
    if score.cpu_seconds is not None:
        lines += [
            f"until found, median and quartiles: {_shown(score.cpu_seconds, 1)} s, {_shown(score.executions, 0)} cases",
            f"requests in the shrunk case: {_shown(score.requests, 0)};"
            f" exactly one finding in {score.one_finding} of {score.hunts_found} hunts",
            f"every finding repeated in all of its replays in {score.repeated} of {score.hunts_found} hunts",
        ]
    return lines
