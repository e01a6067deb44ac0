"""Processor time of this process and of everything that it started."""

from __future__ import annotations

import psutil


def processor_seconds() -> float:
    """Since this process began; of children that have ended as far as somebody waited for them."""
    process = psutil.Process()
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it has ended; its parent has its time
        total += times.user + times.system + times.children_user + times.children_system
    return total
