"""Corpus entries from files of any form that holds a case: an entry, a bare case, a finding or a regression."""

from __future__ import annotations

from pathlib import Path

import msgspec

from fuzz.corpus.entry import KINDS, CorpusEntry, case_of, decode_case, decode_entry
from targets.codec import DecodeError
from targets.errors import UsageError


class _Case(msgspec.Struct):
    """Enough of a bare case to tell its kind."""

    type: str = ""


class _Holder(msgspec.Struct):
    """Enough of a finding or a regression to get at its case."""

    case: msgspec.Raw = msgspec.Raw(b"")


def adopt(path: Path, about: str = "", sources: tuple[str, ...] = ()) -> CorpusEntry:
    """The entry for the case in a file; `about` and `sources` replace what the file says, if given.

    Raises `UsageError` naming the file and the reason if it holds no case.
    """
    try:
        entry = _entry(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    except DecodeError as error:
        raise UsageError(f"{path} holds no case: {error}.") from error
    return CorpusEntry.of(case_of(entry), about or entry.about, sources or entry.sources)


def _entry(data: bytes) -> CorpusEntry:
    bare = _bare_case(data)
    if bare is not None:
        return CorpusEntry.of(bare)
    try:
        return decode_entry(data)
    except DecodeError as error:
        held = _bare_case(bytes(_holder(data).case))
        if held is None:
            raise error from None
        return CorpusEntry.of(held)


def _bare_case(data: bytes) -> msgspec.Struct | None:
    try:
        kind = msgspec.json.decode(data, type=_Case).type
    except msgspec.MsgspecError:
        return None
    return decode_case(data, kind) if kind in KINDS else None


def _holder(data: bytes) -> _Holder:
    try:
        return msgspec.json.decode(data, type=_Holder)
    except msgspec.MsgspecError:
        return _Holder()
