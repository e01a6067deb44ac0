"""`inferfuzz mutate`: which changes of the code would no property notice."""

from __future__ import annotations

import click

from fuzz import configuration
from fuzz.cli import EXIT_CLEAN, EXIT_FINDINGS


@click.command("mutate")
@click.argument("target", required=False)
@click.option("--tier", "tiers", multiple=True, help="Mutate the modules of this tier; repeatable. Default: critical")
@click.option("--module", "files", multiple=True, metavar="PATH", help="Only this module of the tiers; repeatable.")
@click.option("--cases", type=click.IntRange(min=1), default=120, help="Cases that are judged, at most. Default: 120")
@click.option("--children", type=click.IntRange(min=1), help="Mutants tested at a time. Default: one a core.")
@click.option("--mutant", "mutants", multiple=True, metavar="NAME", help="Test this one again, changed or not.")
@click.option("--quick", is_flag=True, help="Judge by the likeliest cases alone: a lower bound of the score.")
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N", help="Only so many mutants that the baseline has as noticed."
)
@click.option("--seed", type=int, default=0, help="Which mutants the sample draws. Default: 0")
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
    quick: bool,
    sample: int | None,
    seed: int,
    accept: bool,
    everything: bool,
    style: str,
) -> int:
    """Mutate the critical modules of TARGET in a scratch copy, with its properties on its corpus as the tests.

    Only what has changed since the last run is tested again. Exit code 1 if a tier is below its minimum, a module fell
    below the baseline, nothing was tested, or something stayed unchecked. Without TARGET the first one of the
    configuration is taken.

    With --sample a few mutants are drawn from those that the accepted baseline has as noticed, and each must be noticed
    still: seconds instead of minutes, for every run of a test suite. Functions that changed since are left out.

    Survivors that nothing need notice can be explained in a list beside the baseline, corpus/gaps/TARGET.survivors.toml
    by default; the score with them is judged by the minimum, the score without them by the baseline.
    """
    import msgspec
    from rich.console import Console

    from fuzz.contain.system import core_count
    from fuzz.gaps.mutation.mutate import MutatePlan, mutate
    from fuzz.gaps.mutation.mutate import accept as accept_baseline
    from fuzz.gaps.mutation.sample import sample as draw_sample
    from fuzz.reports.counting import counting
    from fuzz.reports.mutation import MOST, show_mutation

    if sample and (accept or mutants or files):
        raise click.UsageError("--sample draws from the baseline; it does not go with --accept, --mutant or --module.")
    settings = configuration.load()
    plan = MutatePlan(
        target=target or next(iter(settings.targets), "reference"),
        root=configuration.project_root(),
        configuration=settings,
        tiers=tiers or ("critical",),
        files=files,
        cases=cases,
        quick=quick,
        children=children or core_count(),
        mutants=mutants,
        replaces_baseline=accept,
    )
    with counting(Console(stderr=True), "mutants") as listener:
        report = draw_sample(plan, sample, seed, listener) if sample else mutate(plan, listener)
    if style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=1))
    else:
        show_mutation(report, Console(), len(report.survivors) if everything else MOST)
    if accept:
        click.echo(f"accepted as {accept_baseline(plan, report)}", err=True)
        return EXIT_CLEAN
    return EXIT_FINDINGS if report.reasons else EXIT_CLEAN
