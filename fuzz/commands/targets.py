"""`inferfuzz targets`: list the targets, or show one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from fuzz.cli import EXIT_CLEAN
from targets.contract import Bound, Domain, Knob, KnobValue, Limits, Target, TargetKind
from targets.domain import DEFAULT_DOMAIN, INTEGER_FIELDS, describe
from targets.registry import Listing, find, listings

if TYPE_CHECKING:
    from rich.table import Table


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list; known without importing the target's library."""

    name: str
    summary: str
    location: str
    install: tuple[str, ...]
    """Commands that install what is missing; empty when it can be used."""


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a target documents."""

    name: str
    summary: str
    kind: TargetKind
    devices: tuple[str, ...]
    dtypes: tuple[str, ...]
    knobs: tuple[Knob, ...]
    limits: Limits
    domain: Domain
    modules: tuple[str, ...]


@click.command("targets")
@click.argument("name", required=False)
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="Form of the result.")
def command(name: str | None, style: str) -> int:
    """List what can be tested; with NAME (or module:attribute) show its devices, knobs, limits and domain."""
    if name is None:
        entries = tuple(entry(listing) for listing in listings())
        _answer(entries, style, [listing_table(entries)] if style == "text" else [])
    else:
        details = describe_target(find(name))
        _answer(details, style, detail_tables(details) if style == "text" else [])
    return EXIT_CLEAN


def entry(listing: Listing) -> Entry:
    """The line of a listing."""
    return Entry(
        name=listing.name, summary=listing.summary, location=listing.location, install=tuple(listing.missing())
    )


def describe_target(target: Target) -> Details:
    """What a target documents; asks it for its devices, which may import its library."""
    return Details(
        name=target.name,
        summary=target.summary,
        kind=target.kind,
        devices=target.devices(),
        dtypes=target.dtypes,
        knobs=target.knobs,
        limits=target.limits,
        domain=target.domain or DEFAULT_DOMAIN,
        modules=target.modules,
    )


def listing_table(entries: Sequence[Entry]) -> Table:
    """The list for people."""
    table = _table("target", "what it is", "to use it")
    for line in entries:
        table.add_row(line.name, line.summary, " && ".join(line.install) or "ready")
    return table


def detail_tables(details: Details) -> list[Table]:
    """One target for people: what it is, its knobs, its limits, its documented domain."""
    about = _table("target", details.name)
    about.add_row("what it is", details.summary)
    about.add_row("kind", details.kind.value)
    about.add_row("devices", ", ".join(details.devices))
    about.add_row("dtypes", ", ".join(details.dtypes))
    about.add_row("guided by", ", ".join(details.modules) or "behaviour only")
    knobs = _table("knob", "default", "values", "what it is")
    for knob in details.knobs:
        knobs.add_row(knob.name, _shown(knob.default), ", ".join(map(_shown, knob.values)), knob.description)
    limits = _table("limit", "value")
    for field, value in msgspec.to_builtins(details.limits).items():
        limits.add_row(field, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
    domain = _table("sampling parameter", "documented domain")
    for field in details.domain.supported:
        domain.add_row(field, _domain_of(field, details.domain))
    return [about, *([knobs] if details.knobs else []), limits, domain]


def _domain_of(field: str, domain: Domain) -> str:
    if field == "stop":
        return f"at most {domain.max_stop} texts that are not empty"
    if field == "logit_bias":
        bound = describe(domain.bounds.get(field, Bound()), integer=False)
        return f"at most {domain.max_logit_bias} token ids, {bound} for each"
    if field not in domain.bounds:
        return "token ids" if field == "stop_token_ids" else "true or false"
    return describe(domain.bounds[field], integer=field in INTEGER_FIELDS)


def _shown(value: KnobValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(*columns: str) -> Table:
    from rich.table import Column, Table

    # Names are never broken or cut: they are what a reader copies.
    return Table(Column(columns[0], no_wrap=True), *columns[1:])


def _answer(data: object, style: str, tables: Sequence[Table]) -> None:
    if style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(data), indent=1))
        return
    from rich.console import Console

    # Without markup: names such as inferfuzz[transformers] are shown as they are.
    console = Console(highlight=False, markup=False)
    for table in tables:
        console.print(table)
