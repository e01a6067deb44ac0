"""How soon after a crash or a hang the next call is answered, beside what a fresh process would cost."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import time

from fuzz.bench.containment.model import Recovery
from fuzz.contain.outcome import Fate
from fuzz.contain.supervisor import Supervisor

_ENTRY = "fuzz.bench.containment.work:make_faulty"
_DEADLINE = 0.2


def has_torch() -> bool:
    """Whether torch is installed; workers are then forked from a process that has imported it."""
    return importlib.util.find_spec("torch") is not None


def imports() -> tuple[str, ...]:
    """What the zygotes of this benchmark import."""
    return ("torch", "fuzz.bench.containment.work") if has_torch() else ("fuzz.bench.containment.work",)


def measure(samples: int) -> tuple[Recovery, ...]:
    """Recovery from crashes and from hangs, one after the other without a pause."""
    with Supervisor(_ENTRY, deadline=_DEADLINE, imports=imports()) as supervisor:
        supervisor.call(b"")
        crash = [_seconds(supervisor, b"sigsegv-c", Fate.CRASHED) for _ in range(samples)]
        hang = [_seconds(supervisor, b"loop-c", Fate.HUNG) for _ in range(samples)]
    return (
        _summary("a crash (SIGSEGV)", crash),
        _summary("a hang (native loop)", hang),
    )


def torch_import_seconds() -> float | None:
    """What a worker made afresh would have to do first."""
    if not has_torch():
        return None
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - started


def _seconds(supervisor: Supervisor, fault: bytes, fate: Fate) -> float:
    started = time.perf_counter()
    outcome = supervisor.call(fault)
    after = supervisor.call(b"")
    # Stack, kill, collection, take-over and the next answer.
    seconds = time.perf_counter() - started - outcome.seconds
    assert (outcome.fate, after.fate) == (fate, Fate.COMPLETED), (outcome, after)
    return seconds


def _summary(fault: str, seconds: list[float]) -> Recovery:
    return Recovery(
        fault=fault,
        samples=len(seconds),
        median_seconds=statistics.median(seconds),
        worst_seconds=max(seconds),
    )
