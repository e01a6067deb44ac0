"""`inferfuzz properties`: list the properties, or explain one; with a target, say which apply to it."""

from __future__ import annotations

import inspect

import click
import msgspec

from fuzz.properties import registry
from fuzz.properties.model import Property
from targets import registry as target_registry


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One property as it is listed."""

    code: str
    title: str
    kind: str
    cost: str
    needs: tuple[str, ...]
    fields: tuple[str, ...]
    knobs: tuple[str, ...]
    sources: tuple[str, ...]
    explanation: str
    applies: bool | None = None
    """Whether it applies to the target; None if no target was named."""
    reason: str = ""
    """Why it does not."""


@click.command()
@click.argument("code", required=False)
@click.option("--target", "target_name", metavar="NAME", help="Say which properties apply to this target, and why not.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(code: str | None, target_name: str | None, style: str) -> None:
    """List the properties that are checked, or explain the one with CODE."""
    chosen = [registry.find(code)] if code else list(registry.properties())
    rows = _rows(chosen, target_name)
    if style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=1).decode())
    elif code:
        _explain(rows[0])
    else:
        _list(rows)


def _rows(chosen: list[Property], target_name: str | None) -> list[Row]:
    if target_name is None:
        return [_row(found, None, "") for found in chosen]
    target = target_registry.find(target_name)
    model = target.load(target.devices()[0], target.dtypes[0])
    executor = target.open(model)
    try:
        capabilities = registry.capability_names(executor, target.kind)
    finally:
        executor.close()
    found = registry.applicable(target, capabilities)
    applicable = {one.code for one in found.applicable}
    return [
        _row(one, one.code in applicable, found.missing.get(one.code, "")) for one in chosen if one.kind is target.kind
    ]


def _row(found: Property, applies: bool | None, reason: str) -> Row:
    return Row(
        code=found.code,
        title=found.title,
        kind=found.kind.value,
        cost=found.cost.value,
        needs=tuple(need.__name__ for need in found.needs),
        fields=found.fields,
        knobs=found.knobs,
        sources=found.sources,
        explanation=inspect.cleandoc(found.explanation),
        applies=applies,
        reason=reason,
    )


def _explain(row: Row) -> None:
    explanation = row.explanation.replace("\n", "\n    ").replace("\n    \n", "\n\n")
    click.echo(f"{row.code}  {row.title}\n\n    {explanation}\n")
    facts = {
        "runs on": f"{row.kind} targets",
        "needs": ", ".join((*row.needs, *(f"sampling field {name}" for name in row.fields))),
        "knobs": ", ".join(row.knobs),
        "cost": "reads the run that exists anyway" if row.cost == "observes" else "runs the case again",
        "stems from": ", ".join(row.sources),
        "here": "" if row.applies is None else "applies" if row.applies else f"does not apply: {row.reason}",
    }
    for name, fact in facts.items():
        if fact:
            click.echo(f"    {name:<11} {fact}")


def _list(rows: list[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("code", "property", "kind", "needs"):
        table.add_column(name)
    if rows and rows[0].applies is not None:
        table.add_column("here")
    for row in rows:
        needs = ", ".join((*row.needs, *row.fields, *(f"knob {name}" for name in row.knobs)))
        here = () if row.applies is None else ("yes" if row.applies else row.reason,)
        table.add_row(row.code, row.title, row.kind, needs, *here)
    Console(soft_wrap=True).print(table)
    click.echo(f"\n{len(rows)} properties. `inferfuzz properties CODE` explains one.")
