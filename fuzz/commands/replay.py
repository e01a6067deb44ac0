"""`inferfuzz replay`: run a finding or a case again, contained."""

from __future__ import annotations

from pathlib import Path

import click

from fuzz import configuration
from fuzz.cli import EXIT_CLEAN, EXIT_FINDINGS


@click.command("replay")
@click.argument("name", metavar="FINDING")
@click.option(
    "--times",
    type=click.IntRange(min=1),
    help="Replays, each in a fresh worker. Default: one, tried again while it does not fail if chance decides.",
)
@click.option("--device", help="Another device than the finding's.")
@click.option("--target", help="Another target than the finding's, to see whether it has the same bug.")
@click.option("--original", is_flag=True, help="The case as it was found, before shrinking.")
@click.option("--folder", metavar="PATH", help="Where findings are kept. Default: .inferfuzz")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="Form of the result.")
def command(
    name: str, times: int | None, device: str | None, target: str | None, original: bool, folder: str | None, style: str
) -> int:
    """Replay FINDING, an id, a unique prefix of one, or the path of a finding or regression file.

    Exit code 1 if it fails (in whatever way), 0 if it does not.
    """
    import msgspec

    from fuzz.campaign.harness import ContainedHarness
    from fuzz.campaign.spaces import space_for
    from fuzz.findings.replay import recipe, replay, tries
    from fuzz.reports.replay import show_replay

    defaults = configuration.load()
    found = recipe(Path(folder or defaults.folder) / "findings", name, original=original)
    chosen = found.regression
    with ContainedHarness(target or chosen.target, device or chosen.device, chosen.dtype) as harness:
        space = space_for(harness.target)
        case = space.decode(bytes(chosen.case))
        # Who counts wants to know how often it fails; who does not, whether it does.
        allowed = 1 if times else tries(found.confirmation, timed=space.depends_on_time(case))
        result = replay(harness, case, chosen, times or 1, allowed)
    if style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=1))
    else:
        show_replay(result, found, harness.description.versions)
    return EXIT_FINDINGS if result.failed else EXIT_CLEAN
