"""Survivors that were looked into and explained: a committed list, beside the baseline, of changes that change nothing.

A survivor is found in the list by its module, its function and the changed lines, so neither its number nor its line
matters. An entry that no survivor answers to any more is stale: the code changed, or something notices it by now.

    [[explained]]
    path = "engine/blocks.py"
    function = "BlockPool.allocate"
    reason = "The message of an error is not part of the contract."
    changes = [
        '''
    -    raise OutOfBlocks(f"all {self.total} blocks are held")
    +    raise OutOfBlocks(None)
    ''',
    ]
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from fuzz.gaps.mutation.model import Mutant
from targets.errors import UsageError

Key = tuple[str, str, str]


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of one function that nothing can or need notice, for one reason."""

    path: str
    """Module as it is imported: `package/module.py`."""
    function: str
    reason: str
    changes: tuple[str, ...]
    """Removed and added lines, as the report shows them."""

    @property
    def keys(self) -> tuple[Key, ...]:
        """One for each change."""
        return tuple((self.path, self.function, changed_lines(change)) for change in self.changes)


class _Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    explained: tuple[Entry, ...] = ()


def read(path: Path) -> tuple[Entry, ...]:
    """The entries of a list; none if there is no such file. Raises `UsageError` for one that cannot be read."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _Listed)
    except FileNotFoundError:
        return ()
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"The list of explained survivors {path} cannot be read: {error}.") from error
    for entry in found.explained:
        if not entry.reason.strip() or not all(key[2] for key in entry.keys):
            raise UsageError(f"{path}: an entry for {entry.function} in {entry.path} lacks its reason or its changes.")
    return found.explained


def explain(survivors: Iterable[Mutant], entries: Sequence[Entry]) -> tuple[Mutant, ...]:
    """The survivors, with the reason for those that are listed."""
    reasons = {key: entry.reason.strip() for entry in entries for key in entry.keys}
    return tuple(msgspec.structs.replace(mutant, explained=reasons.get(key_of(mutant), "")) for mutant in survivors)


def stale(survivors: Iterable[Mutant], entries: Iterable[Entry], paths: Iterable[str]) -> tuple[str, ...]:
    """A line for each listed change of one of these modules that is not among its survivors."""
    known, looked = {key_of(mutant) for mutant in survivors}, set(paths)
    return tuple(
        f"explained, but gone or noticed by now: {function} in {path}: {' / '.join(lines.splitlines())}"
        for entry in entries
        for path, function, lines in entry.keys
        if path in looked and (path, function, lines) not in known
    )


def key_of(mutant: Mutant) -> Key:
    """What a mutant is listed by."""
    return mutant.path, mutant.function, changed_lines(mutant.diff)


def changed_lines(diff: str) -> str:
    """The removed and added lines of a diff, without its header and the indentation after their signs."""
    lines = [line.rstrip() for line in diff.splitlines()]
    kept = [line for line in lines if line[:1] in ("+", "-") and line[:3] not in ("+++", "---")]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in kept)
