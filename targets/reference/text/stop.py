"""Stop strings: found across and inside tokens, cut from the text, never shown by mistake and never retracted."""

from __future__ import annotations


class StopScanner:
    """Passes text on, except what may still become a stop string.

    At the first piece of text that completes a stop string, the match that starts earliest wins (of two that start
    at the same place the shorter one), and nothing after it is passed on.
    """

    __slots__ = ("_held", "_include", "_stops", "matched")

    def __init__(self, stops: tuple[str, ...], include: bool) -> None:
        self._stops = stops
        self._include = include
        self._held = ""
        self.matched: str | None = None
        """The stop string that was found."""

    def push(self, text: str) -> str:
        """Text that may be shown now that `text` was generated. A match is the end: nothing is pushed after it."""
        if not self._stops:
            return text
        buffer = self._held + text
        found = earliest_match(buffer, self._stops)
        if found is not None:
            start, self.matched = found
            self._held = ""
            end = start + len(self.matched) if self._include else start
            return buffer[:end]
        shown = len(buffer) - held_back(buffer, self._stops)
        self._held = buffer[shown:]
        return buffer[:shown]

    def flush(self) -> str:
        """What was held back, once no more text will come."""
        text, self._held = self._held, ""
        return text


def earliest_match(text: str, stops: tuple[str, ...]) -> tuple[int, str] | None:
    """Start and stop string of the match that starts first, the shortest of equals; None if there is none."""
    matches = [(start, len(stop), stop) for stop in stops if (start := text.find(stop)) >= 0]
    if not matches:
        return None
    start, _, stop = min(matches)
    return start, stop


def held_back(text: str, stops: tuple[str, ...]) -> int:
    """Length of the longest end of `text` that is the beginning of a stop string."""
    longest = max(len(stop) for stop in stops) - 1
    for size in range(min(longest, len(text)), 0, -1):
        if any(stop.startswith(text[-size:]) for stop in stops):
            return size
    return 0
