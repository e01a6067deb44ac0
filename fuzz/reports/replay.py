"""A replay for people: whether it failed again, how, and the case."""

from __future__ import annotations

import msgspec
from rich.console import Console
from rich.text import Text

from fuzz.findings.replay import Recipe, Replay
from fuzz.properties.model import Evidence
from fuzz.reports.console import results_console


def show_replay(result: Replay, recipe: Recipe, versions: dict[str, str]) -> None:
    """Print to standard output."""
    console = results_console()
    console.print(Text(msgspec.json.format(bytes(result.case), indent=1).decode()), soft_wrap=True)
    for violation in result.violations:
        console.print(Text.assemble((violation.signature, "bold red"), f"  {violation.message}"), soft_wrap=True)
        for name, value in violation.evidence.items():
            _show_evidence(name, value, console)
    outcome = result.outcome
    if outcome.message:
        console.print(Text.assemble((str(outcome.fate), "bold red"), f"  {outcome.error_type} {outcome.message}"))
    if outcome.stack:
        console.print(Text(outcome.stack.rstrip(), style="dim"), soft_wrap=True)
    for name, version in recipe.versions.items():
        if versions.get(name, version) != version:
            console.print(Text(f"{name} is {versions[name]} now; the finding was made with {version}", style="yellow"))
    console.print(_verdict(result, recipe))


def _show_evidence(name: str, value: Evidence, console: Console) -> None:
    if name == "stack" and isinstance(value, list):
        console.print(Text("\n".join(f"  {line}" for line in value), style="dim"), soft_wrap=True)
    elif name in ("script", "replay"):
        console.print(Text(f"without inferfuzz:\n{value}"), soft_wrap=True)
    else:
        console.print(Text(f"  {name}: {value}"), soft_wrap=True)


def _verdict(result: Replay, recipe: Recipe) -> Text:
    of = f"{result.runs} replay{'s' if result.runs > 1 else ''}"
    if result.same:
        return Text(
            f"{recipe.regression.finding} still fails: {recipe.regression.signature} in {result.same} of {of}",
            style="bold red",
        )
    if result.failed:
        shown = ", ".join(result.signatures)
        return Text(
            f"{recipe.regression.finding} fails in another way in {result.failed} of {of}: {shown}", style="bold red"
        )
    return Text(f"{recipe.regression.finding} does not fail any more ({of})", style="bold green")
