"""What may be behind a failure of a server, as a label: failures that share it are one finding."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from targets.http.case import HttpDefect
from targets.http.reply import Reply

_FRAME = re.compile(r'File "(?P<path>[^"]+)", line \d+, in (?P<function>\S+)')
_RAISED = re.compile(
    r"^(?P<type>[A-Za-z_][\w.]*(?:Error|Exception|Warning|Exit|Interrupt|[A-Z]\w*))(?::[ ]*(?P<message>.*)|)$",
    re.MULTILINE,
)
_TRACEBACK = "Traceback (most recent call last):"
_CLIENT_LEFT = re.compile(r"(?:\w+\.)*(?:ClientDisconnect|BrokenPipe|Connection(?:Reset|Aborted)|Cancelled)(?:Error)?")
"""Exceptions that follow from a client that went away; no request is answered with them."""
_CHAINED = ("\nDuring handling of the above exception", "\nThe above exception was the direct cause")
_LIBRARY = ("/lib/python3", "<frozen", "<string>")
_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|\{[^}]*\}|0x[0-9a-f]+|\d+(?:\.\d+)?")
_EMPTY_WORDS = frozenset({"internal", "server", "error", "an", "occurred", "unknown", "bad", "request"})
"""A message of these alone says nothing of the cause."""
_LONGEST = 60
_KINDS = {
    "too-small": "out-of-range",
    "too-large": "out-of-range",
    "too-many": "out-of-range",
    "wrong-type": "wrong-type",
    "empty": "empty",
    "unknown-value": "unknown-value",
    "bad-key": "bad-key",
    "missing": "missing",
    "inconsistent": "inconsistent",
    "not-allowed": "not-allowed",
}
"""How a defect's name ends to the check that it needs: a server that lacks a check lacks it for many fields."""


def check_of(defect: HttpDefect) -> str:
    """The check that would have refused it: `out-of-range`, `wrong-type`, ...; the defect's name if it is its own."""
    return next((kind for ending, kind in _KINDS.items() if defect.name.endswith(f"-{ending}")), defect.name)


def unread(field: str) -> str:
    """Cause of all that a server does which does not read a field: it takes bad values and does nothing with good ones.

    A dotted path is one of its first field, of what lies among `options` the second.
    """
    return f"{field.removeprefix('options.').partition('.')[0]} is not read"


class _Raised(NamedTuple):
    place: str
    message: str
    """First line of the exception's text."""


def error_label(said: str, defect: HttpDefect | None, log: str) -> str:
    """What went wrong inside the server, as far as it shows, in this order of trust.

    The exception and its place from a stack trace in the log; the error's message without what varies; the field that
    the defect is in. Empty if there is nothing to tell one error from another. `said` is the error's message.
    """
    if place := raised_in(log, said):
        return place
    if message := _constant(said):
        return message
    return defect.place.partition(".")[0] or defect.name if defect else ""


def raised_in(log: str, said: str = "") -> str:
    """`ValueError-completion.py:_build_generation_config` of a stack trace in a log; empty if there is none.

    Of several traces it is the last one whose message the error repeats, else the last one: other requests fail, too.
    The place is the innermost one outside the standard library.
    """
    found = [raised for block in log.split(_TRACEBACK)[1:] if (raised := _raised(block))]
    told = [raised for raised in found if raised.message and raised.message in said]
    return (told or found)[-1].place if found else ""


def only_place(log: str) -> str:
    """Where all stack traces of a log were raised; empty if there are none, or if they differ.

    Of exceptions that were raised one in the handling of the other only the last counts.
    """
    blocks = [block for block in log.split(_TRACEBACK)[1:] if not any(mark in block for mark in _CHAINED)]
    places = {raised.place for block in blocks if (raised := _raised(block))}
    return places.pop() if len(places) == 1 else ""


def _raised(block: str) -> _Raised | None:
    """What follows the headline of a stack trace. An exception's own text may quote frames; they are no part of it."""
    error = _RAISED.search(block)
    if error is None or _CLIENT_LEFT.fullmatch(error["type"]):
        return None
    frames = [frame for frame in _FRAME.finditer(block, 0, error.start()) if not _is_library(frame["path"])]
    if not frames:
        return None
    innermost = f"{Path(frames[-1]['path']).name}:{frames[-1]['function']}"
    return _Raised(f"{error['type'].rpartition('.')[2]}-{innermost}", (error["message"] or "").strip())


def _is_library(path: str) -> bool:
    return any(part in path for part in _LIBRARY) and "site-packages" not in path


def message_of(reply: Reply) -> str:
    """The message of an error in JSON; empty where there is none."""
    try:
        return _text(json.loads(reply.body))
    except (ValueError, RecursionError):
        return ""


def _constant(message: str) -> str:
    """A message in words that stay the same; empty if they say nothing of the cause."""
    words = re.findall(r"[a-z_]+", _VARYING.sub("", message).lower())
    return "" if _EMPTY_WORDS.issuperset(words) else "-".join(words)[:_LONGEST].strip("-")


def _text(body: Any) -> str:
    """The first message in an error body of any envelope."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return _text(body[0]) if body else ""
    if isinstance(body, dict):
        inner = next((body[name] for name in ("error", "detail", "message", "msg") if body.get(name)), "")
        return _text(inner)
    return ""
