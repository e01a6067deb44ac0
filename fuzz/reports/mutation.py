"""A mutation run for people."""

from __future__ import annotations

import os

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from fuzz.gaps.mutation.model import Bucket, ModuleScore, Mutant, MutationReport

MOST = 10
"""Survivors whose diff is shown; the JSON form holds all."""


def show_mutation(report: MutationReport, console: Console, most: int = MOST) -> None:
    """Print the scores with every bucket, the survivors with their diffs, and the verdict."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    rows = (*report.modules, *report.tiers)
    seen = [str(bucket) for bucket in Bucket if any(row.buckets.get(str(bucket)) for row in rows)]
    listed = ("explained", "apart") if any(row.explained for row in rows) else ()
    folder = _shared_folder([row.name for row in report.modules])
    table.add_column(folder, no_wrap=True)
    for title in (*seen, "score", *listed):
        table.add_column(title, justify="right")
    for row in rows:
        name = f"tier {row.name}" if row in report.tiers else row.name.removeprefix(folder)
        counts = (str(row.buckets.get(bucket, 0)) for bucket in seen)
        table.add_row(name, *counts, _score(row.score), *_apart(row)[: len(listed)])
    console.print(table)
    open_ones = sorted(report.survivors, key=lambda mutant: bool(mutant.explained))
    for mutant in open_ones[:most]:
        _show_survivor(mutant, report.target, console)
    if len(open_ones) > most:
        console.print(Text(f"... and {len(open_ones) - most} more (--all shows them)", style="dim"))
    if report.new_survivors is not None:
        console.print(f"survivors that the baseline does not have: {len(report.new_survivors)}", highlight=False)
    for note in report.notes:
        console.print(Text(f"note: {note}", style="yellow"), soft_wrap=True)
    for reason in report.reasons:
        console.print(Text(reason, style="bold red"), soft_wrap=True)
    word, style = ("noticed", "bold green") if not report.reasons else ("not noticed enough", "bold red")
    console.print(Text.assemble((word, style), f": {report.target}, {report.cases} cases, {report.seconds:.0f} s"))


def _shared_folder(paths: list[str]) -> str:
    """The folder that all paths lie in, said once so that a narrow terminal shows where they differ."""
    shared = os.path.commonpath(paths) if len(paths) > 1 else ""
    return f"{shared}/" if shared else ""


def _score(score: float) -> str:
    # Never rounded up to a score that has not been reached.
    return f"{int(score * 100) / 100:.2f}"


def _apart(row: ModuleScore) -> tuple[str, str]:
    return str(row.explained), _score(row.apart)


def _show_survivor(mutant: Mutant, target: str, console: Console) -> None:
    near = f"; nearest: {', '.join(mutant.nearest)}" if mutant.nearest else ""
    head = f" {mutant.function} in {mutant.path}{near}"
    console.print(Text.assemble((str(mutant.bucket), "bold yellow"), head), soft_wrap=True)
    if mutant.diff:
        changed = [line for line in mutant.diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        console.print(Syntax("\n".join(changed), "diff", background_color="default"))
    if mutant.explained:
        console.print(Text(f"  explained: {mutant.explained}", style="dim"), soft_wrap=True)
        return
    console.print(Text(f"  inferfuzz mutate {target} --mutant '{mutant.name}'", style="cyan"), soft_wrap=True)
