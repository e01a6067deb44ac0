"""`inferfuzz gaps`: what corpus and regressions do not exercise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fuzz import configuration
from fuzz.cli import EXIT_CLEAN, EXIT_FINDINGS, EXIT_INCONCLUSIVE
from targets.errors import UsageError

if TYPE_CHECKING:
    from fuzz.gaps.model import GapsReport


@click.command("gaps")
@click.argument("target", required=False)
@click.option("--device", default="cpu", help="Device as PyTorch names it. Default: cpu")
@click.option("--tier", "tiers", multiple=True, help="Look at the modules of this tier only; repeatable.")
@click.option(
    "--case", "cases", multiple=True, metavar="PATTERN", help="Replay only cases called so: 'seed long-*'; repeatable."
)
@click.option("--generated", type=click.IntRange(min=0), default=0, help="Fresh cases to replay beside the corpus.")
@click.option("--deadline", type=float, default=60.0, metavar="SECONDS", help="Seconds that one case may take.")
@click.option("--accept", is_flag=True, help="Make this result the baseline of later runs.")
@click.option("--html", "pages", type=click.Path(file_okay=False, path_type=Path), help="Write pages to this folder.")
@click.option("--all", "everything", is_flag=True, help="Show every gap.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "annotations"]),
    default="text",
    help="Form of the result; annotations are workflow commands for code review.",
)
def command(
    target: str | None,
    device: str,
    tiers: tuple[str, ...],
    cases: tuple[str, ...],
    generated: int,
    deadline: float,
    accept: bool,
    pages: Path | None,
    everything: bool,
    style: str,
) -> int:
    """Replay the corpus, the seeds and the regressions of TARGET under coverage.py, and list what they do not reach.

    Judged by the tiers of [tool.inferfuzz.tiers] and against the accepted baseline. Exit code 1 if a tier is below its
    minimum or lost coverage, 3 if a case ended the replay. Without TARGET the first one of the configuration is taken.
    """
    from rich.console import Console

    from fuzz.gaps.baseline import accept as accept_baseline
    from fuzz.gaps.baseline import baseline_path
    from fuzz.gaps.run import GapsPlan, find_gaps
    from fuzz.reports.counting import counting
    from fuzz.reports.gaps_html import write_html

    if accept and cases:
        raise UsageError("--accept needs every case: leave --case out.")
    settings = configuration.load()
    root = configuration.project_root()
    name = target or next(iter(settings.targets), "reference")
    plan = GapsPlan(name, root, settings, device, tiers, cases, generated, deadline, replaces_baseline=accept)
    with counting(Console(stderr=True), "replaying") as listener:
        result = find_gaps(plan, listener)
    try:
        if pages is not None:
            click.echo(f"wrote {write_html(result.report, result.data, result.files, pages)}", err=True)
    finally:
        result.discard()
    _show(result.report, style, everything=everything)
    if accept:
        path = baseline_path(root / settings.gaps.baseline, name)
        accept_baseline(path, result.report, result.before)
        click.echo(f"accepted as {path}", err=True)
        # What was accepted knowingly is no finding of this run.
        return EXIT_CLEAN
    if not result.report.passed:
        return EXIT_FINDINGS
    return EXIT_CLEAN if result.report.complete else EXIT_INCONCLUSIVE


def _show(report: GapsReport, style: str, *, everything: bool) -> None:
    import msgspec
    from rich.console import Console

    from fuzz.reports.gaps import review_lines, show_gaps

    if style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=1))
    elif style == "annotations":
        for line in review_lines(report):
            click.echo(line)
    else:
        show_gaps(report, Console(), len(report.gaps) if everything else 40)
