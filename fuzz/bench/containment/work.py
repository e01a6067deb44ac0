"""The call that is timed: a fixed amount of computation, calibrated in the run, and the entries that make it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from fuzz.contain.worker import flight_recorder
from targets.faults import commit


def compute(count: int, payload: bytes) -> bytes:
    """`count` rounds of integer arithmetic; returns the payload, so that the reply is as long."""
    value = len(payload)
    for _ in range(count):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
    return payload if value >= 0 else b""


def calibrate(seconds: float) -> int:
    """How many rounds take `seconds` when nothing disturbs them."""
    count = 1000
    while (best := _best_of(5, count)) < seconds / 4:
        count *= 2
    return round(count * seconds / best)


def _best_of(tries: int, count: int) -> float:
    return min(_timed(count) for _ in range(tries))


def _timed(count: int) -> float:
    started = time.perf_counter()
    compute(count, b"")
    return time.perf_counter() - started


def make_compute(argument: bytes) -> Callable[[bytes], bytes]:
    """Entry: the argument is the number of rounds."""
    count = int(argument)
    return lambda payload: compute(count, payload)


def make_loop(argument: bytes) -> Callable[[bytes], bytes]:
    """Entry: arguments are rounds and payload size; a call runs that many recorded cases as its payload says."""
    count, size = (int(part) for part in argument.split())

    def run(cases: bytes) -> bytes:
        recorder, case = flight_recorder(), os.urandom(size)
        for _ in range(int(cases)):
            recorder.begin(case)
            compute(count, case)
            recorder.end()
        return cases

    return run


RECORDED = b"recorded:"
"""Prefix of payloads that are recorded, as a loop records its cases."""


def make_faulty(_argument: bytes) -> Callable[[bytes], bytes]:
    """Entry: the payload is `RECORDED` or nothing, then a fault's name, a space, and anything."""
    return _commit


def _commit(payload: bytes) -> bytes:
    looping = payload.startswith(RECORDED)
    if looping:
        flight_recorder().begin(payload)
    if name := payload.removeprefix(RECORDED).partition(b" ")[0]:
        commit(name.decode())
    if looping:
        flight_recorder().end()
    return payload
