"""Server-sent events, read strictly."""

from __future__ import annotations

from typing import NamedTuple

from targets.http.dialects.model import Problem


class Event(NamedTuple):
    """One event: its name (empty if none was given) and its data lines joined."""

    name: str
    data: str


def read_events(body: bytes) -> tuple[tuple[Event, ...], tuple[Problem, ...]]:
    """The events of a stream and what is wrong with their framing; comment lines are allowed."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        return (), (Problem("stream-not-utf8", f"the stream is not UTF-8 at byte {error.start}"),)
    blocks = text.replace("\r\n", "\n").split("\n\n")
    problems = []
    if blocks[-1].strip():
        problems.append(Problem("event-unended", f"the last event has no blank line after it: {blocks[-1][-80:]!r}"))
    events = []
    for block in blocks:
        name, data, strange = _read_block(block)
        if strange:
            problems.append(Problem("event-line", f"a line is neither event nor data: {strange[:80]!r}"))
        if data is not None or name:
            events.append(Event(name, data or ""))
    return tuple(events), tuple(problems)


def _read_block(block: str) -> tuple[str, str | None, str]:
    name, data, strange = "", None, ""
    for line in block.strip("\n").split("\n"):
        field, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line or line.startswith(":"):
            continue
        if field == "data" and colon:
            data = value if data is None else f"{data}\n{value}"
        elif field == "event" and colon:
            name = value
        elif field not in ("id", "retry") or not colon:
            strange = line
    return name, data, strange
