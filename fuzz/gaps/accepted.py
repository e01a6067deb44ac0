"""Files that hold an accepted report: read with its format checked first, written as a whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from fuzz.corpus.atomic import write_atomically
from targets.codec import DecodeError, decode
from targets.errors import UsageError

Report = TypeVar("Report", bound=msgspec.Struct)


class _Header(msgspec.Struct):
    format: int = 0


def read(path: Path, kind: type[Report], known: int) -> Report | None:
    """The report of format `known`, or None if none was accepted. Raises `UsageError` for any other content."""
    try:
        data = path.read_bytes()
        header = decode(data, _Header)
        if header.format == known:
            return decode(data, kind)
    except FileNotFoundError:
        return None
    except (OSError, DecodeError) as error:
        raise UsageError(f"The baseline {path} cannot be read: {error}. Accept a new one with --accept.") from error
    raise UsageError(
        f"The baseline {path} has format {header.format}, this version reads {known}. Accept a new one with --accept."
    )


def write(path: Path, report: msgspec.Struct) -> None:
    """Replace the report; the old one stays if this fails half-way. Raises `UsageError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    except OSError as error:
        raise UsageError(f"The baseline {path} cannot be written: {error.strerror or error}.") from error
