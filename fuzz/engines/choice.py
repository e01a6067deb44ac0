"""From an engine's name to the engine; what is not installed is replaced, and said."""

from __future__ import annotations

import importlib
import importlib.util

from fuzz.engines.model import Engine
from targets.errors import unknown

DEFAULT = "guided"
"""What `auto` means: it meets all planted conditions of `inferfuzz bench engines` soonest."""

ENGINES = ("guided", "atheris", "hypothesis")


def choose(name: str) -> tuple[Engine, str]:
    """The engine of this name (`auto` is the default one), and a line for people if another took its place.

    Raises `UsageError` for a name that is none.
    """
    if name not in (*ENGINES, "auto"):
        raise unknown("engine", name, (*ENGINES, "auto"))
    wanted = DEFAULT if name == "auto" else name
    note = ""
    if wanted == "atheris" and not has_atheris():
        note = "atheris is not installed (its wheels are for Linux on x86-64), so the engine guided is used instead."
        wanted = "guided"
    engine: Engine = getattr(importlib.import_module(f"fuzz.engines.{wanted}"), wanted)
    return engine, note


def has_atheris() -> bool:
    """Whether Atheris can be used here."""
    return importlib.util.find_spec("atheris") is not None
