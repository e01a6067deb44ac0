"""`inferfuzz promote`: from a finding to a committed regression."""

from __future__ import annotations

from pathlib import Path

import click

from fuzz import configuration


@click.command("promote")
@click.argument("name", metavar="FINDING")
@click.option("--about", default="", help="What was wrong, in one sentence. Default: the finding's title.")
@click.option("--to", "destination", metavar="PATH", help="Folder of regressions. Default: corpus/regressions")
@click.option("--folder", metavar="PATH", help="Where findings are kept. Default: .inferfuzz")
def command(name: str, about: str, destination: str | None, folder: str | None) -> None:
    """Turn FINDING into a regression, a file to commit: pytest replays it on every run from then on."""
    from fuzz.findings import regression, store

    defaults = configuration.load()
    finding = store.find(Path(folder or defaults.folder) / "findings", name)
    path = regression.save(Path(destination or defaults.regressions), regression.promoted(finding, about))
    click.echo(f"wrote {path}")
    if finding.confirmation.flaky:
        seen = f"{finding.confirmation.repeated} of {finding.confirmation.attempts}"
        click.echo(f"note: it repeated in {seen} replays only, so the regression may pass without a fix", err=True)
