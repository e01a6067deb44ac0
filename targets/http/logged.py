"""What a server that runs in this process logs, read like the output of one that has a process of its own."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Protocol

_LONGEST = 64 * 1024


class WritesOutput(Protocol):
    """A server whose output can be read."""

    @property
    def lag(self) -> float:
        """Seconds after an answer within which it has written why it failed."""

    def output_size(self) -> int:
        """How much it has written so far."""

    def output_after(self, start: int) -> str:
        """What it wrote after so much, the end of it if that is long."""


class LoggedHere(logging.Handler):
    """Keeps what is logged as an error in this process, stack traces included; thread-safe."""

    lag = 0.3  # a framework may answer first and pass the exception on to its server afterwards

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._text = ""
        self._forgotten = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Take up a record."""
        text = f"{self._text}{self.format(record)}\n"
        self._forgotten += max(0, len(text) - _LONGEST)
        self._text = text[-_LONGEST:]

    def output_size(self) -> int:
        """Characters logged so far."""
        return self._forgotten + len(self._text)

    def output_after(self, start: int) -> str:
        """What was logged after so many characters, the last 64 Ki at most."""
        return self._text[max(0, start - self._forgotten) :]


@contextlib.contextmanager
def logged_here() -> Iterator[LoggedHere]:
    """Listens to every logger of this process that passes on to the root."""
    handler = LoggedHere()
    logging.getLogger().addHandler(handler)
    try:
        yield handler
    finally:
        logging.getLogger().removeHandler(handler)
