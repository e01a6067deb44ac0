"""A count of what is done, on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY = 10.0
"""Seconds between two lines where there is no terminal to repaint."""


@contextmanager
def counting(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """Gives the function that is told how many are done, and of how many."""
    if console.is_terminal:
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(what)
            yield lambda done, total: progress.update(task, completed=done, total=total)
        return
    started = shown = time.monotonic()

    def line(done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown < LINE_EVERY:
            return
        shown = now
        left = f", about {(now - started) / done * (total - done):.0f} s left" if done else ""
        console.print(f"{what}: {done} of {total}{left}", highlight=False)

    yield line
