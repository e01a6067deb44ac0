"""`inferfuzz certify`: proof that inference works at all, for a build step."""

from __future__ import annotations

from pathlib import Path

import click

from fuzz.cli import EXIT_CLEAN, EXIT_FINDINGS
from targets.errors import UsageError


@click.command("certify")
@click.argument("target", required=False)
@click.option("--device", "devices", multiple=True, help="Device as PyTorch names it; repeatable. Default: all found.")
@click.option("--dtype", default="", help="Number format. Default: the target's first.")
@click.option(
    "--limit", type=click.FloatRange(min=1.0), default=30.0, metavar="SECONDS", help="Everything ends by then."
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Also write the certificate here.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="Form of the result.")
def command(
    target: str | None, devices: tuple[str, ...], dtype: str, limit: float, output: Path | None, style: str
) -> int:
    """Prove in seconds that TARGET works: load, first token, the same answer twice, a batch, a stream, an abort, a
    refused request, finite logits, blocks returned, and a deadline that fires, on each device.

    Never takes longer than the limit, whatever the target does. Exit code 1 if anything failed. Without TARGET the
    first one of the configuration is taken.
    """
    import msgspec

    from fuzz import configuration
    from fuzz.certify.model import CertifyPlan
    from fuzz.certify.run import certify
    from fuzz.corpus.atomic import write_atomically

    chosen = target or next(iter(configuration.load().targets), "reference")
    plan = CertifyPlan(target=chosen, devices=devices, dtype=dtype, limit=limit)
    certificate = certify(plan)
    text = msgspec.json.format(msgspec.json.encode(certificate), indent=1)
    if output is not None:
        try:
            write_atomically(output.absolute(), text + b"\n")
        except OSError as error:
            raise UsageError(f"The certificate cannot be written to {output}: {error.strerror or error}.") from error
    if style == "json":
        click.echo(text)
    else:
        from rich.console import Console

        from fuzz.reports.certificate import show_certificate

        show_certificate(certificate, Console())
    return EXIT_CLEAN if certificate.certified else EXIT_FINDINGS
