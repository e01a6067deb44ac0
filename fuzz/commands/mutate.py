"""`inferfuzz mutate`: which changes of the code would no property notice."""

from __future__ import annotations

import os

import click

from fuzz import configuration
from fuzz.cli import EXIT_CLEAN, EXIT_FINDINGS


@click.command("mutate")
@click.argument("target", required=False)
@click.option("--tier", "tiers", multiple=True, help="Mutate the modules of this tier; repeatable. Default: critical")
@click.option("--module", "files", multiple=True, metavar="PATH", help="Only this module of the tiers; repeatable.")
@click.option("--cases", type=click.IntRange(min=1), default=30, help="Cases that each property judges. Default: 30")
@click.option("--children", type=click.IntRange(min=1), help="Mutants tested at a time. Default: one a core.")
@click.option("--mutant", "mutants", multiple=True, metavar="NAME", help="Test this one again, changed or not.")
@click.option("--accept", is_flag=True, help="Make this result the baseline of later runs.")
@click.option("--all", "everything", is_flag=True, help="Show every survivor.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="Form of the result.")
def command(
    target: str | None,
    tiers: tuple[str, ...],
    files: tuple[str, ...],
    cases: int,
    children: int | None,
    mutants: tuple[str, ...],
    accept: bool,
    everything: bool,
    style: str,
) -> int:
    """Mutate the critical modules of TARGET in a scratch copy, with its properties on its corpus as the tests.

    Only what has changed since the last run is tested again. Exit code 1 if a tier is below its minimum, a module fell
    below the baseline, nothing was tested, or something stayed unchecked. Without TARGET the first one of the
    configuration is taken.
    """
    import msgspec
    from rich.console import Console

    from fuzz.gaps.mutation.mutate import MutatePlan, mutate
    from fuzz.gaps.mutation.mutate import accept as accept_baseline
    from fuzz.reports.counting import counting
    from fuzz.reports.mutation import MOST, show_mutation

    settings = configuration.load()
    plan = MutatePlan(
        target=target or next(iter(settings.targets), "reference"),
        root=configuration.project_root(),
        configuration=settings,
        tiers=tiers or ("critical",),
        files=files,
        cases=cases,
        children=children or os.cpu_count() or 1,
        mutants=mutants,
    )
    with counting(Console(stderr=True), "mutants") as listener:
        report = mutate(plan, listener)
    if style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=1))
    else:
        show_mutation(report, Console(), len(report.survivors) if everything else MOST)
    if accept:
        click.echo(f"accepted as {accept_baseline(plan, report)}", err=True)
        return EXIT_CLEAN
    return EXIT_FINDINGS if report.reasons else EXIT_CLEAN
