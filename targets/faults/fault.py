"""What a fault is."""

from __future__ import annotations

import importlib.util
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One way to misbehave, and what containment must say of it."""

    name: str
    language: str
    """`python` or `c`: where the fault happens."""
    fate: str
    """The value of `fuzz.contain.outcome.Fate` that it must be given."""
    commit: Callable[[], object]
    """Commits it, in this process. Returns only if the fault is something left behind."""
    signal: int | None = None
    """The signal that ends the process, if one does."""
    exit_code: int | None = None
    error_type: str = ""
    """Qualified type name of the exception that leaves `commit`, if one does."""
    requires: tuple[str, ...] = ()
    """Modules it needs."""
    linux_only: bool = False
    machines: tuple[str, ...] = ()
    """Values of `platform.machine()` that it is made for; empty for all."""

    def available(self) -> bool:
        """Whether it can be committed here."""
        if self.linux_only and sys.platform != "linux":
            return False
        if self.machines and platform.machine() not in self.machines:
            return False
        return all(importlib.util.find_spec(module) is not None for module in self.requires)
