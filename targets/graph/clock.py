"""An event loop on a virtual clock: waiting costs no time, and a run takes the same seconds every time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any


class StalledError(Exception):
    """Every task waits for another one and no timer is set: the run could never end."""


class _NoInput(selectors.BaseSelector):
    """A selector that waits for nothing outside the process; waiting moves the clock of its loop instead."""

    def __init__(self) -> None:
        self._keys: dict[Any, selectors.SelectorKey] = {}
        self.elapsed = 0.0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        descriptor = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = selectors.SelectorKey(fileobj, descriptor, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StalledError("every task of the run waits for another one, and no timer is set")
        self.elapsed += max(0.0, timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose `time()` moves only when every task waits, or when `spend` is called.

    It serves tasks and timers; sockets and threads never wake it.
    """

    def __init__(self) -> None:
        self._virtual = _NoInput()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._virtual.elapsed

    def spend(self, seconds: float) -> None:
        """Let time pass without giving way to any other task, as a long computation does."""
        self._virtual.elapsed += seconds


def spend(seconds: float) -> None:
    """Spend computing time on the running loop's virtual clock; on a real clock it passes by itself."""
    if seconds and isinstance(loop := asyncio.get_running_loop(), VirtualLoop):
        loop.spend(seconds)
