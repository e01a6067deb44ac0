"""`inferfuzz check`: the release gate."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fuzz import configuration
from fuzz.cli import EXIT_CLEAN, EXIT_FINDINGS, EXIT_INCONCLUSIVE, EXIT_INTERRUPTED, EXIT_USAGE
from targets.errors import UsageError

if TYPE_CHECKING:
    from fuzz.check.model import CheckReport


@click.command("check")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option("--profile", default="", help="ci, local, nightly, release, or one of the configuration.")
@click.option("--time", "duration", metavar="60s", help="Budget of the properties instead of the profile's.")
@click.option("--step", "steps", multiple=True, help="Do only this step; repeatable.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the campaign. Default: 0 on CI, else a new one.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder of the files written.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="Form of the result.")
def command(
    targets: tuple[str, ...],
    profile: str,
    duration: str | None,
    steps: tuple[str, ...],
    seed: int | None,
    output: Path | None,
    style: str,
) -> int:
    """Check TARGETs before a release: certificate, regressions, properties with a budget, coverage
    tiers, and for the profiles nightly and release the mutation score.

    The profile says how much: --profile, INFERFUZZ_PROFILE, the configuration, or `ci` where CI is recognised and
    `local` elsewhere. Writes check.json, junit.xml and check.sarif. Exit code 1 if anything failed, 2 if a step could
    not be run, 3 if it is inconclusive.
    """
    import msgspec

    from fuzz.campaign.plan import seconds_of
    from fuzz.campaign.units import DEFAULT_TARGETS
    from fuzz.check.run import check
    from fuzz.check.steps import Context
    from fuzz.profiles import STEPS, choose

    settings = configuration.load()
    chosen = choose(profile, settings)
    if duration is not None:
        seconds_of(duration)
        chosen = msgspec.structs.replace(chosen, time=duration)
    if steps:
        for step in steps:
            if step not in STEPS:
                raise UsageError(f"Unknown step {step!r}. Known: {', '.join(STEPS)}.")
        chosen = msgspec.structs.replace(chosen, steps=steps)
    root = configuration.project_root()
    context = Context(
        root=root,
        configuration=settings,
        profile=chosen,
        targets=targets or settings.targets or DEFAULT_TARGETS,
        seed=seed if seed is not None else 0 if chosen.derandomize else secrets.randbelow(2**32),
    )
    report = check(context, lambda plan: click.echo(f"{plan.step} {plan.target}".rstrip() + " ...", err=True))
    folder = output or root / settings.folder / "check"
    _write(report, folder)
    _show(report, style)
    click.echo(f"wrote check.json, junit.xml and check.sarif to {folder}", err=True)
    return _exit_code(report)


def _write(report: CheckReport, folder: Path) -> None:
    import msgspec

    from fuzz.corpus.atomic import write_atomically
    from fuzz.reports.junit import junit_xml
    from fuzz.reports.sarif import sarif

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "check.json", msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
        write_atomically(folder / "junit.xml", junit_xml(report))
        write_atomically(folder / "check.sarif", msgspec.json.format(msgspec.json.encode(sarif(report))) + b"\n")
    except OSError as error:
        raise UsageError(f"The result cannot be written to {folder}: {error.strerror or error}.") from error


def _show(report: CheckReport, style: str) -> None:
    if style == "json":
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=1))
    else:
        from rich.console import Console

        from fuzz.reports.check import show_check

        show_check(report, Console())


def _exit_code(report: CheckReport) -> int:
    from fuzz.check.model import Conclusion

    if report.interrupted:
        return EXIT_INTERRUPTED
    return {
        Conclusion.FAILED: EXIT_FINDINGS,
        Conclusion.ERROR: EXIT_USAGE,
        Conclusion.INCONCLUSIVE: EXIT_INCONCLUSIVE,
    }.get(report.conclusion, EXIT_CLEAN)
