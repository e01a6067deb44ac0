"""`inferfuzz corpus`: list, add, merge and minimize cases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import msgspec

from fuzz import configuration
from fuzz.cli import EXIT_CLEAN
from fuzz.corpus import store
from fuzz.corpus.adopt import adopt
from fuzz.corpus.store import Loaded, Skipped, Stored
from targets.errors import UsageError

_FOLDER = click.Path(path_type=Path)
_STYLE = click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", help="Form of the result."
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One case of a folder."""

    file: str
    kind: str
    bytes: int
    about: str
    sources: tuple[str, ...]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a command did to a folder."""

    folder: str
    files: tuple[str, ...]
    """Files that were written, or removed."""
    unchanged: int
    """Cases that were there already, or that were kept."""


@click.group("corpus")
def command() -> None:
    """List, add, merge or minimize cases.

    A corpus is a folder of JSON files, one case each, named by content: safe to read, edit, copy and commit. A file
    that cannot be read is reported and left alone.
    """


@command.command("list")
@click.argument("folders", nargs=-1, type=_FOLDER, metavar="[FOLDER]...")
@_STYLE
def list_cases(folders: tuple[Path, ...], style: str) -> int:
    """List the cases of each FOLDER; without one, of all that campaigns have kept here."""
    loaded = [store.load(folder) for folder in folders or _kept()]
    rows = [row(stored) for found in loaded for stored in found.entries]
    if style == "json":
        click.echo(msgspec.json.encode(rows))
    else:
        for line in _table(rows):
            click.echo(line)
    _report(skipped for found in loaded for skipped in found.skipped)
    return EXIT_CLEAN


@command.command("add")
@click.argument("folder", type=_FOLDER)
@click.argument("files", nargs=-1, required=True, type=_FOLDER, metavar="FILE...")
@click.option("--about", default="", help="What the case shows. Default: what the file says.")
@click.option("--source", "sources", multiple=True, help="Id of a real bug the case was rebuilt from; repeatable.")
@_STYLE
def add_cases(folder: Path, files: tuple[Path, ...], about: str, sources: tuple[str, ...], style: str) -> int:
    """Add the case in each FILE (a corpus entry, a bare case, a finding) to FOLDER."""
    entries = [adopt(file, about, sources) for file in files]
    written = [store.add(folder, entry) for entry in entries]
    added = tuple(str(path) for path in written if path is not None)
    _answer(Change(folder=str(folder), files=added, unchanged=len(written) - len(added)), "added", style)
    return EXIT_CLEAN


@command.command("merge")
@click.argument("folder", type=_FOLDER, metavar="INTO")
@click.argument("sources", nargs=-1, required=True, type=_FOLDER, metavar="FROM...")
@_STYLE
def merge_folders(folder: Path, sources: tuple[Path, ...], style: str) -> int:
    """Add every case of the folders FROM that INTO does not have."""
    merged = store.merge(folder, sources)
    files = tuple(str(path) for path in merged.added)
    _answer(Change(folder=str(folder), files=files, unchanged=merged.present), "added", style)
    _report(merged.skipped)
    return EXIT_CLEAN


@command.command("minimize")
@click.argument("folder", type=_FOLDER)
@click.option("--target", required=True, help="Target whose branches count: a name or module:attribute.")
@click.option("--device", default="cpu", help="Device as PyTorch names it.")
@click.option("--dtype", help="Number format. Default: the target's first.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@_STYLE
def minimize_folder(folder: Path, target: str, device: str, dtype: str | None, dry_run: bool, style: str) -> int:
    """Remove from FOLDER the cases that reach nothing the others do not.

    Cases that people wrote (with a story or a source) and cases that fail are kept.
    """
    loaded = _existing(folder)
    spare = _spare(loaded.entries, target, device, dtype) if loaded.entries else ()
    if not dry_run:
        store.remove(spare)
    files = tuple(str(stored.path) for stored in spare)
    change = Change(folder=str(folder), files=files, unchanged=len(loaded.entries) - len(files))
    _answer(change, "would be removed" if dry_run else "removed", style)
    _report(loaded.skipped)
    return EXIT_CLEAN


def row(stored: Stored) -> Row:
    """The line of a case."""
    entry = stored.entry
    return Row(
        file=str(stored.path),
        kind=entry.kind,
        bytes=len(bytes(entry.case)),
        about=entry.about,
        sources=entry.sources,
    )


def _kept() -> tuple[Path, ...]:
    folder = Path(configuration.load().folder) / "corpus"
    return tuple(sorted(path for path in folder.glob("*") if path.is_dir()))


def _existing(folder: Path) -> Loaded:
    if not folder.is_dir():
        raise UsageError(f"There is no corpus folder {folder}.")
    return store.load(folder)


def _spare(entries: Sequence[Stored], name: str, device: str, dtype: str | None) -> tuple[Stored, ...]:
    # Opening a target takes seconds that listing and merging should not.
    from fuzz.campaign.harness import ContainedHarness
    from fuzz.corpus.minimum import minimum
    from targets import registry

    target = registry.find(name)
    # Without properties to relate runs, each case runs once, so equal cases reach equal branches.
    with ContainedHarness(name, device, dtype or target.dtypes[0], codes=()) as harness:
        return minimum(entries, harness).spare


def _table(rows: Sequence[Row]) -> Iterable[str]:
    for item in rows:
        sources = f" [{', '.join(item.sources)}]" if item.sources else ""
        yield f"{item.file}  {item.kind}  {item.bytes} bytes  {item.about}{sources}".rstrip()
    yield f"{len(rows)} case{'' if len(rows) == 1 else 's'}"


def _answer(change: Change, done: str, style: str) -> None:
    if style == "json":
        click.echo(msgspec.json.encode(change))
        return
    for file in change.files:
        click.echo(f"{done} {file}")
    click.echo(f"{len(change.files)} {done}, {change.unchanged} unchanged in {change.folder}")


def _report(skipped: Iterable[Skipped]) -> None:
    for item in skipped:
        click.echo(str(item), err=True)
