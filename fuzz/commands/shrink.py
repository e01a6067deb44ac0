"""`inferfuzz shrink`: go on shrinking a finding for longer than the campaign did."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fuzz import configuration
from fuzz.cli import EXIT_CLEAN, EXIT_INCONCLUSIVE


@click.command("shrink")
@click.argument("name", metavar="FINDING")
@click.option("--time", "duration", default="60s", metavar="60s", help="Time budget.")
@click.option("--original", is_flag=True, help="Start over from the case as it was found.")
@click.option("--folder", metavar="PATH", help="Where findings are kept. Default: .inferfuzz")
def command(name: str, duration: str, original: bool, folder: str | None) -> int:
    """Make the case of FINDING smaller as long as it fails in the same way, and store the result.

    Exit code 3 if the finding does not fail any more.
    """
    import msgspec

    from fuzz.campaign.harness import ContainedHarness
    from fuzz.campaign.plan import seconds_of
    from fuzz.campaign.spaces import space_for
    from fuzz.findings import store
    from fuzz.findings.confirm import simplest
    from fuzz.findings.shrink import shrink
    from fuzz.findings.signature import signatures
    from targets.codec import encode

    findings = Path(folder or configuration.load().folder) / "findings"
    finding = store.find(findings, name)
    until = time.monotonic() + seconds_of(duration)
    with ContainedHarness(finding.target, finding.device, finding.dtype, probed=False) as harness:
        space = space_for(harness.target)
        case = space.decode(bytes(finding.original if original else finding.case))
        codes = finding.codes or None
        first = harness.judge(case, codes)
        if finding.signature not in signatures(first):
            click.echo(f"{finding.id} does not fail with {finding.signature} any more; nothing to shrink", err=True)
            return EXIT_INCONCLUSIVE
        shrunk = shrink(
            first,
            finding.signature,
            space.simplify,
            lambda candidate: harness.judge(candidate, codes),
            until=until,
            executions=1_000_000,
        )
        smallest, confirmation = simplest(harness, shrunk, finding.signature, codes, space.steady)
    before, after = len(encode(case)), len(encode(smallest.case))
    updated = msgspec.structs.replace(
        finding,
        case=msgspec.Raw(encode(smallest.case)),
        confirmation=confirmation,
        shrink_steps=shrunk.steps + (0 if original else finding.shrink_steps),
    )
    path = store.write(findings, updated)
    state = "nothing smaller fails" if shrunk.complete else "time is up; more may be possible"
    click.echo(f"{before} to {after} bytes in {shrunk.executions} runs, {state}: {path}")
    return EXIT_CLEAN
