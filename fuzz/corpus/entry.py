"""What a corpus file holds: one case, and where it comes from."""

from __future__ import annotations

import importlib
from typing import Any

import msgspec

from targets.codec import DecodeError, content_hash, decode, encode

FORMAT = 1
"""Files written by a newer format are refused, not guessed at."""

KINDS = {
    "trace": "targets.trace:Trace",
    "graph": "targets.graph.case:GraphCase",
    "http": "targets.http.case:HttpCase",
}
"""Kind of case to its type, imported when a case of it is met."""


class CorpusEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case and its story; entries that an engine found have no story."""

    format: int = FORMAT
    kind: str
    """`trace`, `graph` or `http`."""
    about: str = ""
    """What the case shows, for people."""
    sources: tuple[str, ...] = ()
    """Ids of the real bugs it was rebuilt from (`inference_bugs.json`)."""
    case: msgspec.Raw
    """The case as JSON."""

    @classmethod
    def of(cls, case: msgspec.Struct, about: str = "", sources: tuple[str, ...] = ()) -> CorpusEntry:
        """The entry of a case. Raises `TypeError` for a struct that is no case."""
        kind = str(case.__struct_config__.tag)
        if kind not in KINDS:
            raise TypeError(f"{type(case).__name__} is no case; cases are {', '.join(KINDS)}")
        return cls(kind=kind, about=about, sources=sources, case=msgspec.Raw(encode(case)))

    @property
    def told(self) -> bool:
        """Whether people wrote it: it has a story, so minimizing keeps it."""
        return bool(self.about or self.sources)


def decode_entry(data: bytes) -> CorpusEntry:
    """The entry that a file's bytes hold, its case checked. Raises `DecodeError` with the reason."""
    newer = newer_format(data)
    if newer is not None:
        raise DecodeError(f"format {newer} is newer than {FORMAT}, the newest that this version reads", "format")
    entry = decode(data, CorpusEntry)
    case_of(entry)
    return entry


def case_of(entry: CorpusEntry) -> msgspec.Struct:
    """The entry's case. Raises `DecodeError` if it is not one of the entry's kind."""
    return decode_case(bytes(entry.case), entry.kind)


def decode_case(data: bytes, kind: str) -> msgspec.Struct:
    """A case of this kind from its JSON. Raises `DecodeError`."""
    if kind not in KINDS:
        raise DecodeError(f"kind {kind!r} is unknown; allowed: {', '.join(KINDS)}", "kind")
    module, _, name = KINDS[kind].partition(":")
    case: Any = decode(data, getattr(importlib.import_module(module), name))
    assert isinstance(case, msgspec.Struct)
    return case


def encode_entry(entry: CorpusEntry) -> bytes:
    """The entry as indented JSON with a final newline; equal entries give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(entry), indent=1) + b"\n"


def name_of(entry: CorpusEntry) -> str:
    """Content hash of the case: the same case has the same name wherever it was found."""
    return content_hash(case_of(entry))


class _Header(msgspec.Struct):
    format: int = 0


def newer_format(data: bytes) -> int | None:
    """The format number if it is one that only a newer version can read."""
    try:
        header = msgspec.json.decode(data, type=_Header)
    except msgspec.MsgspecError:
        return None
    return header.format if header.format > FORMAT else None
