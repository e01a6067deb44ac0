"""The benchmark of planted bugs for a terminal."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fuzz.bench.planted.model import BugResult, Comparison, Hunt, PlantedBenchmark, Score, Spread, spread


def show(comparison: Comparison, console: Console) -> None:
    """A row for each bug, then the figures over all of them; several engines stand side by side."""
    if len(comparison.benchmarks) == 1:
        console.print(_details(comparison.benchmarks[0]))
    else:
        console.print(_side_by_side(comparison.benchmarks))
        console.print(Text("seeds that found it, processor seconds, cases, requests in the smallest case", style="dim"))
    for benchmark in comparison.benchmarks:
        for line in _score_lines(benchmark):
            console.print(Text(line))
        for hunt in (hunt for result in benchmark.results for hunt in result.hunts if hunt.problem):
            console.print(Text(f"{hunt.engine}: {hunt.bug}, seed {hunt.seed}: {hunt.problem}", style="red"))
    if comparison.interrupted:
        console.print(Text("interrupted: hunts are missing", style="yellow"))


def _details(benchmark: PlantedBenchmark) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("bug", "found", "by"):
        table.add_column(title, no_wrap=True)
    for title in ("cases", "cpu s", "requests", "findings", "replays", "all cpu s"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("otherwise", no_wrap=True)
    for result in benchmark.results:
        table.add_row(*_cells(result))
    return table


def _side_by_side(benchmarks: Sequence[PlantedBenchmark]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("bug", no_wrap=True)
    by_engine = [{result.bug: result for result in benchmark.results} for benchmark in benchmarks]
    for benchmark in benchmarks:
        table.add_column(benchmark.engine, no_wrap=True)
    for bug in dict.fromkeys(bug for results in by_engine for bug in results):
        table.add_row(bug, *(_cell(results.get(bug)) for results in by_engine))
    return table


def _cell(result: BugResult | None) -> Text:
    """Empty for an engine that has no cases for the bug's target."""
    if result is None:
        return Text("")
    found = result.found
    if not found:
        return Text(f"{len(found)}/{len(result.hunts)}", style="red")
    figures = [f"{len(found)}/{len(result.hunts)}", f"{_median(hunt.cpu_seconds for hunt in found):.1f} s"]
    figures += [f"{_median(hunt.executions for hunt in found):,.0f}", f"{_median(hunt.requests for hunt in found):.0f}"]
    return Text("  ".join(figures), style="green" if result.is_reliable else "yellow")


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


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
        _shown(spread([hunt.whole_cpu for hunt in result.hunts]), 1),
        _counted(_reach(hunt) for hunt in result.hunts if not hunt.found),
    )


def _reach(hunt: Hunt) -> str:
    if hunt.problem:
        return "not held"
    return hunt.reach.value if hunt.reach else "not looked at"


def _replays(hunts: Sequence[Hunt]) -> str:
    """`10/10`: of the hunt whose finding repeated least; `10/10 in 11`, if that took more runs."""
    least = min((hunt for hunt in hunts if hunt.replays), key=lambda hunt: (hunt.repeated, -hunt.runs), default=None)
    if least is None:
        return ""
    return f"{least.repeated}/{least.replays}" + (f" in {least.runs}" if least.runs > least.replays else "")


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
        f"{benchmark.engine}, {benchmark.seconds:g} s of processor time a bug, {benchmark.seeds} seeds, from {start};"
        f" {score.whole_cpu / max(1, score.hunts):.1f} s a hunt with everything",
        f"found {score.found} of {score.bugs} bugs, {score.found_reliably} with at least nine of ten seeds",
    ]
    if score.cpu_seconds is not None:
        lines += [
            f"until found, median and quartiles: {_shown(score.cpu_seconds, 1)} s, {_shown(score.executions, 0)} cases;"
            f" slowest {score.slowest:.1f} s",
            f"requests in the shrunk case: {_shown(score.requests, 0)};"
            f" exactly one finding in {score.one_finding} of {score.hunts_found} hunts",
        ]
        lines.append(_repeated(score))
    return lines


def _repeated(score: Score) -> str:
    if not score.replayed:
        return "findings were not replayed (--replays 0)"
    again = f", in {score.tried_again} of them after a further run, as chance decides" if score.tried_again else ""
    return f"every finding repeated in all of its replays in {score.repeated} of {score.replayed} hunts{again}"
