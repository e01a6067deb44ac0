"""What a job tells the campaign, one JSON line each."""

from __future__ import annotations

import msgspec

from fuzz.engines.model import Progress
from fuzz.findings.model import Finding


class Described(msgspec.Struct, frozen=True, kw_only=True, tag="described"):
    """The model is loaded; this is what will be run."""

    engine: str
    applicable: tuple[str, ...]
    missing: dict[str, str]
    """Property code to the reason why it does not apply."""
    versions: dict[str, str]
    corpus: int
    """Cases to start from."""
    notes: tuple[str, ...] = ()
    """What the user should know: an engine that was replaced, corpus files that cannot be read, ..."""


class Advanced(msgspec.Struct, frozen=True, kw_only=True, tag="advanced"):
    """The engine's progress."""

    progress: Progress
    triage: str = ""
    """What is being confirmed or shrunk right now, if anything."""


class Found(msgspec.Struct, frozen=True, kw_only=True, tag="found"):
    """A new finding, or a known one that was extended."""

    finding: Finding


class Note(msgspec.Struct, frozen=True, kw_only=True, tag="note"):
    """Something the user should know while the job goes on."""

    text: str


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """The job is done; its last word."""

    reason: str
    progress: Progress


class Broken(msgspec.Struct, frozen=True, kw_only=True, tag="broken"):
    """The job could not go on: the model does not load, our own defect, ..."""

    message: str
    ours: bool
    """Whether this is a defect of inferfuzz rather than of the target or its set-up."""


JobEvent = Described | Advanced | Found | Note | Ended | Broken
