"""A case for a graph runner: a config with its inputs, the script of its models and tools, and perhaps a defect."""

from __future__ import annotations

from typing import Any

import msgspec

from targets.contract import KnobValue
from targets.graph.config import GraphConfig, Value, plain
from targets.graph.script import GraphInputs, Script


class Patch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One change of a config document."""

    path: tuple[str | int, ...]
    """Keys and positions from the root."""
    value: Any = None
    """What stands there afterwards, as JSON."""
    remove: bool = False
    """Remove what stands there instead."""
    copies: int = 1
    """With more than one, `value` is a node or edge, and so many are appended to the list at the path; `{i}` in its
    texts becomes the number of the copy.
    """


class ConfigDefect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One named way in which a valid config becomes invalid."""

    name: str
    """What is wrong, such as `unknown-target`."""
    patches: tuple[Patch, ...]


class Pause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where the run is interrupted, and what is written on a branch forked there."""

    after: int
    """Steps that run before it."""
    writes: dict[str, Value] = {}


class GraphCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="graph"):
    """One generated input for a graph runner."""

    config: GraphConfig
    inputs: GraphInputs = GraphInputs()
    script: Script = Script()
    knobs: dict[str, KnobValue] = {}
    pause: Pause | None = None
    defect: ConfigDefect | None = None
    """With one, the document of this case is invalid and must be refused."""


def document_of(case: GraphCase) -> Any:
    """The config as plain dicts and lists, the defect in place. Raises `ValueError` if a patch has no place."""
    document = plain(case.config)
    for patch in case.defect.patches if case.defect else ():
        document = _patched(document, patch)
    return document


def _patched(document: Any, patch: Patch) -> Any:
    if not patch.path:
        return patch.value
    *parents, last = patch.path
    place = document
    try:
        for key in parents:
            place = place[key]
        if patch.remove:
            del place[last]
        elif patch.copies > 1:
            place.setdefault(last, []).extend(_numbered(patch.value, number) for number in range(patch.copies))
        elif isinstance(place, list) and last == len(place):
            place.append(patch.value)
        else:
            place[last] = patch.value
    except (KeyError, IndexError, TypeError, AttributeError):
        shown = ".".join(str(key) for key in patch.path)
        raise ValueError(f"the config has no place {shown!r} for the defect") from None
    return document


def _numbered(value: Any, number: int) -> Any:
    match value:
        case str():
            return value.replace("{i}", str(number))
        case dict():
            return {key: _numbered(item, number) for key, item in value.items()}
        case list():
            return [_numbered(item, number) for item in value]
    return value
