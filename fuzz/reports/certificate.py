"""A certificate for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fuzz.certify.model import Certificate, Status

_STYLES = {Status.PASSED: "green", Status.FAILED: "bold red", Status.NOT_APPLICABLE: "dim", Status.UNREACHED: "yellow"}


def show_certificate(certificate: Certificate, console: Console) -> None:
    """Print the steps of each device, and the verdict."""
    if certificate.problem:
        console.print(Text(certificate.problem.rstrip(), style="red"), soft_wrap=True)
    for device in certificate.devices:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("step", "", "seconds", f"{device.device} {device.dtype}"):
            table.add_column(title, justify="right" if title == "seconds" else "left")
        for step in device.steps:
            seconds = f"{step.seconds:.2f}" if step.seconds else ""
            table.add_row(step.name, Text(step.status, style=_STYLES[step.status]), seconds, Text(step.detail))
        console.print(table)
        console.print(Text(f"model: {device.model or 'not loaded'}", style="dim"), soft_wrap=True)
    word, style = ("certified", "bold green") if certificate.certified else ("not certified", "bold red")
    tail = f": {certificate.target} in {certificate.seconds:.1f} s (limit {certificate.limit:g} s)"
    console.print(Text.assemble((word, style), tail))
