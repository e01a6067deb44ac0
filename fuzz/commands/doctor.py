"""`inferfuzz doctor`: what is installed, what is missing, and how to get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fuzz.cli import EXIT_CLEAN, EXIT_USAGE

if TYPE_CHECKING:
    from rich.console import Console

    from fuzz.doctor import Diagnosis, Package


@click.command("doctor")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="Form of the result.")
def command(style: str) -> int:
    """Say what is installed, which devices there are, what is missing, and the command that installs it.

    Exit code 2 if something inferfuzz cannot do without is missing.
    """
    import msgspec

    from fuzz.doctor import diagnose

    diagnosis = diagnose()
    if style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(diagnosis), indent=1))
    else:
        show(diagnosis)
    return EXIT_USAGE if diagnosis.problems else EXIT_CLEAN


def show(diagnosis: Diagnosis) -> None:
    """Write the diagnosis for people."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.print(f"inferfuzz {diagnosis.inferfuzz}, Python {diagnosis.python}, {diagnosis.platform}", soft_wrap=True)
    _show_packages(console, diagnosis)
    _show_machine(console, diagnosis)
    for name, commands in diagnosis.targets_missing.items():
        console.print(f"Target {name} needs: {' && '.join(commands)}", soft_wrap=True)
    for problem in diagnosis.problems:
        console.print(f"Problem: {problem}", style="red", soft_wrap=True)
    if not diagnosis.problems:
        console.print("Nothing that inferfuzz cannot do without is missing.", style="green")


def _show_packages(console: Console, diagnosis: Diagnosis) -> None:
    from rich.table import Table

    table = Table("package", "version", "for", "to get it")
    for package in diagnosis.packages:
        table.add_row(package.name, package.version or "missing", package.purpose, _advice(package))
    console.print(table)


def _advice(package: Package) -> str:
    return "" if package.version else package.install or package.note


def _show_machine(console: Console, diagnosis: Diagnosis) -> None:
    from rich.table import Table

    table = Table("this machine", "", "what for")
    shown = ", ".join(diagnosis.devices.names) or diagnosis.devices.problem
    table.add_row("devices", shown, "executors run on them")
    for ability in diagnosis.abilities:
        table.add_row(ability.name, "yes" if ability.available else "no", ability.detail)
    console.print(table)
    for weakness in diagnosis.weaknesses:
        console.print(f"Weaker here: {weakness}", style="yellow")
