"""The closing summary for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fuzz.cli import EXIT_CLEAN, EXIT_FINDINGS, EXIT_INCONCLUSIVE, EXIT_INTERRUPTED
from fuzz.reports.summary import FindingSummary, Summary

_VERDICTS = {
    EXIT_CLEAN: ("clean", "bold green"),
    EXIT_FINDINGS: ("findings", "bold red"),
    EXIT_INCONCLUSIVE: ("inconclusive", "bold yellow"),
    EXIT_INTERRUPTED: ("interrupted", "bold yellow"),
}


def show_summary(summary: Summary, console: Console) -> None:
    """Print what was run, what was found, what did not apply, and how sure that is."""
    _show_units(summary, console)
    for finding in summary.findings:
        _show_finding(finding, console)
    for finding in summary.flaky:
        _show_finding(finding, console, flaky=True)
    _show_properties(summary, console)
    for note in summary.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    _show_verdict(summary, console)


def _show_units(summary: Summary, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim", title=None)
    for title in ("target", "device", "engine", "cases", "cases/s", "arms", "corpus", "workers lost"):
        table.add_column(title, justify="left" if title in ("target", "device", "engine") else "right", no_wrap=True)
    for unit in summary.units:
        speed = f"{unit.rate:,.0f}"
        table.add_row(
            unit.target,
            f"{unit.device} {unit.dtype}",
            unit.engine,
            f"{unit.executions:,}",
            speed,
            f"{unit.arms:,}",
            f"{unit.corpus:,}",
            f"{unit.workers_lost:,}",
        )
    console.print(table)
    for unit in summary.units:
        if unit.problem:
            console.print(Text(f"{unit.target} on {unit.device} could not run: {unit.problem}", style="red"))


def _show_finding(finding: FindingSummary, console: Console, *, flaky: bool = False) -> None:
    console.print()
    word = "FLAKY" if flaky else "FINDING"
    style = "bold yellow" if flaky else "bold red"
    console.print(Text.assemble((f"{word} ", style), (finding.id, "bold"), "  ", finding.title))
    repeated = f"repeated {finding.repeated} of {finding.attempts} times in fresh workers"
    facts = [repeated if finding.attempts else "not confirmed, since the time was up"]
    if finding.requests:
        facts.append(f"shrunk to {finding.requests} request{'s' if finding.requests > 1 else ''}")
    if finding.also:
        facts.append(f"also breaks {', '.join(finding.also)}")
    console.print(Text(f"  {'; '.join([finding.signature, *facts])}"), soft_wrap=True)
    if len(finding.variants) > 1:
        console.print(Text(f"  seen with {', '.join(finding.variants)}"), soft_wrap=True)
    console.print(Text(f"  on {', '.join(finding.seen_on)}"), soft_wrap=True)
    console.print(Text.assemble("  ", (finding.replay, "bold cyan")))


def _show_properties(summary: Summary, console: Console) -> None:
    console.print()
    judged = "  ".join(f"{code} {count:,}" for code, count in sorted(summary.checked.items(), key=_by_code))
    console.print(Text(f"properties judged (cases each): {judged or 'none'}"), soft_wrap=True)
    for target, missing in summary.not_applicable.items():
        if missing:
            reasons = "; ".join(f"{code} {reason}" for code, reason in missing.items())
            console.print(Text(f"not applicable to {target}: {reasons}"), soft_wrap=True)
    share = f" ({summary.excused / summary.compared:.2%})" if summary.compared else ""
    runs = f"traces run: {summary.runs:,}, " if summary.runs else ""
    counts = f"{runs}comparisons: {summary.compared:,}, excused at near-ties: {summary.excused:,}{share}"
    console.print(counts, highlight=False)


def _by_code(item: tuple[str, int]) -> tuple[str, int]:
    code = item[0]
    return (code.rstrip("0123456789"), int("".join(c for c in code if c.isdigit()) or 0))


def _show_verdict(summary: Summary, console: Console) -> None:
    word, style = _VERDICTS.get(summary.exit_code, ("could not run", "bold red"))
    count = len(summary.findings)
    found = "no findings" if not count else "1 finding" if count == 1 else f"{count} findings"
    cases = sum(unit.executions for unit in summary.units)
    tail = f": {found} in {cases:,} cases, {summary.seconds:.0f} s, seed {summary.seed}"
    console.print(Text.assemble((word, style), tail))
    for reason in summary.inconclusive if summary.exit_code == EXIT_INCONCLUSIVE else ():
        console.print(Text(f"  {reason}", style="yellow"))
    if count:
        console.print(f"findings are kept in {summary.folder}/findings", highlight=False)
