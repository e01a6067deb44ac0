"""Faults of every fate in random order: each must get its outcome and its guilty case, and nothing may accumulate."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

import psutil

from fuzz.bench.containment import recovery
from fuzz.bench.containment.model import Soak
from fuzz.bench.containment.work import RECORDED
from fuzz.contain.outcome import Fate, Outcome
from fuzz.contain.supervisor import Supervisor
from targets.faults import FAULTS, Fault

_HANG_SECONDS = 0.3
_OTHER_SECONDS = 30.0
"""Generous: on a busy machine C's exit() alone, with torch's destructors, has taken half a second."""
_END_SECONDS = 10.0


@dataclass
class _Tally:
    wrong: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)


def measure(faults: int, seed: int) -> Soak:
    """Commit `faults` faults, half of them by call and half in the recorded loop; the seed fixes the order."""
    draw = random.Random(seed)
    available = [fault for fault in FAULTS.values() if fault.available()]
    tally, own = _Tally(), psutil.Process()
    others = set(own.children(recursive=True))
    started = time.monotonic()
    with Supervisor("fuzz.bench.containment.work:make_faulty", imports=recovery.imports()) as s:
        before = (0, 0)
        for number in range(faults):
            _commit_one(s, draw.choice(available), number, draw.random() < 0.5, tally)
            if number == faults // 10:
                before = _weigh(s, own)
        after = _weigh(s, own)
        family = [process for process in own.children(recursive=True) if process not in others]
    return Soak(
        faults=faults,
        seed=seed,
        seconds=time.monotonic() - started,
        wrong=tuple(tally.wrong),
        unrecorded=tuple(tally.unrecorded),
        unavailable=tuple(fault.name for fault in FAULTS.values() if not fault.available()),
        memory_before=before[0],
        memory_after=after[0],
        descriptors_before=before[1],
        descriptors_after=after[1],
        processes_left=len(psutil.wait_procs(family, timeout=_END_SECONDS)[1]),
    )


def _commit_one(supervisor: Supervisor, fault: Fault, number: int, looping: bool, tally: _Tally) -> None:
    payload = (RECORDED if looping else b"") + f"{fault.name} {number}".encode()
    run = supervisor.loop if looping else supervisor.call
    outcome = run(payload, deadline=_HANG_SECONDS if fault.fate == Fate.HUNG else _OTHER_SECONDS)
    if not _is_right(outcome, fault):
        tally.wrong.append(f"{fault.name} ({'loop' if looping else 'call'} {number}): {outcome.fate} {outcome.message}")
    if supervisor.in_flight != payload or (looping and outcome.case != payload):
        tally.unrecorded.append(f"{fault.name} ({'loop' if looping else 'call'} {number})")


def _is_right(outcome: Outcome, fault: Fault) -> bool:
    seen = (outcome.fate.value, outcome.signal, outcome.exit_code, outcome.error_type)
    return seen == (fault.fate, fault.signal, fault.exit_code, fault.error_type) and not outcome.during_start


def _weigh(supervisor: Supervisor, own: psutil.Process) -> tuple[int, int]:
    # With a worker in place: one that has just been retired would make a difference of its descriptors.
    supervisor.call(b"")
    return own.memory_info().rss, own.num_fds()
