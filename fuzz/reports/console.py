"""The console of results: as wide as the terminal, and wide enough for tables where there is none."""

from __future__ import annotations

import sys

from rich.console import Console

WIDTH = 160


def results_console() -> Console:
    """For standard output."""
    return Console(width=None if sys.stdout.isatty() else WIDTH)
