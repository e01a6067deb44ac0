"""Calls per second of each way to make a call, as ratios to the bare call in interleaved rounds."""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

from fuzz.bench.containment.model import Throughput
from fuzz.bench.containment.work import compute
from fuzz.contain import system
from fuzz.contain.outcome import Fate
from fuzz.contain.supervisor import Supervisor

_WORK = "fuzz.bench.containment.work"
_FETCH_SECONDS = 60.0

Batch = Callable[[int], object]
"""Makes that many calls, one after the other."""


def measure(rounds: int, calls: int, count: int, payload_bytes: int) -> tuple[Throughput, ...]:
    """Throughput of every contender; each round (two or more) runs all of them, the order rotating."""
    payload = os.urandom(payload_bytes)
    with contextlib.ExitStack() as stack:
        core = min(system.cores(), default=None)
        batches: dict[str, Batch] = {
            "bare": lambda calls: _repeat(lambda: compute(count, payload), calls),
            "loop": stack.enter_context(_loop(count, payload_bytes, core)),
            "call": stack.enter_context(_call(count, payload, core)),
            "concurrent.futures": stack.enter_context(_futures(count, payload)),
        }
        if importlib.util.find_spec("pebble") is not None:
            batches["pebble"] = stack.enter_context(_pebble(count, payload))
        times = _time_rounds(batches, rounds, calls)
    return tuple(_summary(name, times, calls) for name in batches)


def _time_rounds(batches: dict[str, Batch], rounds: int, calls: int) -> dict[str, list[float]]:
    for batch in batches.values():
        batch(10)
    names = list(batches)
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            started = time.perf_counter()
            batches[name](calls)
            times[name].append(time.perf_counter() - started)
    return times


def _summary(name: str, times: dict[str, list[float]], calls: int) -> Throughput:
    rounds = [bare / own for bare, own in zip(times["bare"], times[name], strict=True)]
    quartiles = statistics.quantiles(rounds, n=4, method="inclusive")
    return Throughput(
        name=name,
        calls_per_second=calls / _undisturbed(times[name]),
        ratio=_undisturbed(times["bare"]) / _undisturbed(times[name]),
        spread=(quartiles[0], quartiles[2]),
    )


def _undisturbed(times: list[float]) -> float:
    # Other load only ever adds time, and on a shared machine it adds far more than what is compared here.
    return statistics.quantiles(times, n=10, method="inclusive")[0]


def _repeat(call: Callable[[], object], calls: int) -> None:
    for _ in range(calls):
        call()


@contextlib.contextmanager
def _call(count: int, payload: bytes, core: int | None) -> Iterator[Batch]:
    with Supervisor(f"{_WORK}:make_compute", b"%d" % count, core=core, imports=(_WORK,)) as supervisor:
        yield lambda calls: _repeat(lambda: supervisor.call(payload), calls)


@contextlib.contextmanager
def _loop(count: int, payload_bytes: int, core: int | None) -> Iterator[Batch]:
    argument = b"%d %d" % (count, payload_bytes)
    with Supervisor(f"{_WORK}:make_loop", argument, core=core, imports=(_WORK,)) as supervisor:

        def run(calls: int) -> None:
            outcome = supervisor.loop(b"%d" % calls)
            assert outcome.fate is Fate.COMPLETED, outcome

        yield run


@contextlib.contextmanager
def _futures(count: int, payload: bytes) -> Iterator[Batch]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda calls: _repeat(lambda: pool.submit(compute, count, payload).result(_FETCH_SECONDS), calls)


@contextlib.contextmanager
def _pebble(count: int, payload: bytes) -> Iterator[Batch]:
    from pebble import ProcessPool

    with ProcessPool(max_workers=1, context=multiprocessing.get_context("spawn")) as pool:
        yield lambda calls: _repeat(lambda: pool.schedule(compute, (count, payload)).result(_FETCH_SECONDS), calls)
