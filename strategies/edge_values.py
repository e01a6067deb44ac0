"""The dictionaries of `corpus/dictionaries/`, read once at import: values that real bugs involved, as plain data.

Numbers may be symbolic (`2B+1`, `V-1`); `evaluate` resolves them against a target's own numbers.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

PACKAGED = Path(__file__).parent / "dictionaries"
CHECKOUT = Path(__file__).parent.parent / "corpus" / "dictionaries"

_EXPRESSION = re.compile(r"(?P<factor>\d*)(?P<symbol>[A-Z]?)(?P<offset>[+-]\d+)?")

Value = bool | int | float | str


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values with what they stand for and the real bugs that they stem from."""

    values: tuple[Value, ...]
    sources: tuple[str, ...]
    about: str = ""
    name: str = ""
    """The field of `SamplingParams`, for values of one."""


class Combination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sampling parameters that had to meet for a bug to show; token ids may be roles such as `eos`."""

    options: dict[str, Any]
    sources: tuple[str, ...]
    about: str


class DefectValues(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bad values for one field: Python literals as text, with `$name` for a target's own numbers."""

    name: str
    field: str
    values: tuple[str, ...]
    sources: tuple[str, ...]


class Lengths(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`lengths.toml`."""

    group: tuple[Group, ...]


class Tokens(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tokens.toml`."""

    ids: tuple[Group, ...]
    bytes: tuple[Group, ...]
    collision: tuple[Group, ...]


class Sampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`sampling.toml`."""

    field: tuple[Group, ...]
    combination: tuple[Combination, ...]


class Text(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`text.toml`."""

    stop: tuple[Group, ...]


class Malformed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`malformed.toml`."""

    defect: tuple[DefectValues, ...]


def folder() -> Path:
    """Where the dictionaries lie: beside this module in an installed package, in `corpus/` in a checkout."""
    return PACKAGED if PACKAGED.is_dir() else CHECKOUT


def read(name: str, kind: type[Any]) -> Any:
    """One dictionary file as a value of `kind`. Raises `ValueError` that names the file and the wrong field."""
    path = folder() / name
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), kind)
    except (OSError, msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"dictionary {path}: {error}") from error


def evaluate(value: Value, numbers: Mapping[str, int | None]) -> int | None:
    """The integer that a value stands for; None if it uses a symbol without a number here.

    Raises `ValueError` for text that is no expression of the form `2B+1`.
    """
    if not isinstance(value, str):
        return int(value)
    found = _EXPRESSION.fullmatch(value)
    if not found or not value:
        raise ValueError(f"{value!r} is not an expression; write a number or such as 2B+1")
    factor, symbol, offset = found["factor"], found["symbol"], int(found["offset"] or 0)
    if not symbol:
        return int(factor) + offset
    number = numbers.get(symbol)
    return None if number is None else int(factor or 1) * number + offset


LENGTHS: Lengths = read("lengths.toml", Lengths)
TOKENS: Tokens = read("tokens.toml", Tokens)
SAMPLING: Sampling = read("sampling.toml", Sampling)
TEXT: Text = read("text.toml", Text)
MALFORMED: Malformed = read("malformed.toml", Malformed)
