"""The child process of the atheris engine: libFuzzer keeps corpus and schedule, our mutators edit decoded cases.

libFuzzer is set up once in a process and never returns, hence a process of its own. It asks the parent to run each case
and learns what the case reached, as branches of its own; nothing of the target runs here, so nothing can end it.
"""

from __future__ import annotations

import os
import pickle
import random
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import atheris
import msgspec
import numpy as np

from fuzz.engines.frames import Kind, PipeClosedError, SetUp, receive, send
from fuzz.engines.model import Case, CaseSpace
from fuzz.engines.stage import dealt
from targets.codec import DecodeError, encode

COUNTERS = 1 << 15
"""Branches that libFuzzer is told of; it looks at all of them after each case. Features beyond share counters."""
FRESH = 0.1
"""Share of mutations that make a fresh case instead."""
LARGEST = 1 << 20
"""Bytes of a case; a larger mutant is dropped."""
_REMEMBERED = 512


def main() -> None:
    """Serve the parent over standard input and output until it is gone."""
    cases = os.dup(1)
    os.dup2(2, 1)
    try:
        _, payload = receive(0)
        set_up = msgspec.msgpack.decode(payload, type=SetUp)
        _fuzz(set_up, Mutators(pickle.loads(set_up.space), set_up.seed, cases), Runner(0, cases))
    except PipeClosedError:
        os._exit(0)


class Runner:
    """Has the parent run a case, and replays what it reached as branches."""

    def __init__(self, features: int, cases: int) -> None:
        self._features = features
        self._cases = cases
        self._counters: dict[int, int] = {}
        self._base = 0

    def reserve(self) -> None:
        """Claim the counters; to be called before `atheris.Setup`."""
        self._base = atheris._reserve_counter()
        for _ in range(COUNTERS - 1):
            atheris._reserve_counter()

    def __call__(self, data: bytes) -> None:
        """Run one case. Never raises: an exception would end the campaign."""
        try:
            send(self._cases, Kind.CASE, data)
            _, payload = receive(self._features)
        except PipeClosedError:
            os._exit(0)
        counters = self._counters
        # Looked up late: the function of this name does nothing until the fuzzing has begun.
        trace = atheris._trace_branch
        for feature in np.frombuffer(payload, "<u4").tolist():
            number = counters.setdefault(feature, len(counters) % COUNTERS)
            trace(self._base + number)


class Mutators:
    """libFuzzer's custom mutator and crossover, on decoded cases. They never raise: libFuzzer would hang."""

    def __init__(self, space: CaseSpace, seed: int, notes: int) -> None:
        self._space = space
        self._random = random.Random(seed)
        self._notes = notes
        self._failed = False
        self._decoded: dict[bytes, Case] = {}

    def fresh(self) -> bytes:
        """The JSON of a fresh case."""
        return self._encoded(dealt(self._space, self._random) or self._space.generate(self._random))

    def mutate(self, data: bytes, max_size: int, seed: int) -> bytes:
        """An edited case, now and then a fresh one."""
        return self._guarded(lambda: self._mutant(data), data, max_size)

    def cross(self, first: bytes, second: bytes, max_size: int, seed: int) -> bytes:
        """A case with parts of both."""
        return self._guarded(lambda: self._crossing(first, second), first, max_size)

    def _mutant(self, data: bytes) -> bytes:
        if self._random.random() < FRESH:
            return self.fresh()
        return self._encoded(self._space.mutate(self._decode(data), self._random))

    def _crossing(self, first: bytes, second: bytes) -> bytes:
        return self._encoded(self._space.crossover(self._decode(first), self._decode(second), self._random))

    def _guarded(self, make: Callable[[], bytes], fallback: bytes, max_size: int) -> bytes:
        try:
            made = make()
        except Exception:  # noqa: BLE001 - our defect: said once, and the campaign goes on
            if not self._failed:
                self._failed = True
                text = f"a mutation failed, which is an error of ours:\n{traceback.format_exc()}"
                send(self._notes, Kind.NOTE, text.encode())
            made = fallback
        # A longer answer would be an exception in libFuzzer, and a cut case would be none.
        return made if len(made) <= max_size else fallback[:max_size]

    def _decode(self, data: bytes) -> Case:
        case = self._decoded.get(data)
        if case is None:
            try:
                case = self._space.decode(data)
            except DecodeError:
                # libFuzzer begins with the empty input.
                case = self._space.generate(self._random)
        return case

    def _encoded(self, case: Case) -> bytes:
        data = encode(case)
        if len(self._decoded) >= _REMEMBERED:
            self._decoded.clear()
        self._decoded[data] = case
        return data


def _fuzz(set_up: SetUp, mutators: Mutators, runner: Runner) -> None:
    folder = Path(set_up.folder)
    # Without a seed that reaches anything libFuzzer gives up.
    for number in range(8):
        (folder / f"fresh-{number}").write_bytes(mutators.fresh())
    options = {
        "seed": set_up.seed % (2**32 - 1) + 1,
        "max_len": LARGEST,
        "len_control": 0,
        # Deadlines are kept by the parent, and it may shrink a finding while this process waits. 0 would mean 1 s.
        "timeout": 1_000_000,
        "rss_limit_mb": 0,
        "detect_leaks": 0,
        "verbosity": 0,
        "artifact_prefix": f"{folder}/artifact-",
    }
    arguments = [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(folder)]
    runner.reserve()
    atheris.Setup(arguments, runner, custom_mutator=mutators.mutate, custom_crossover=mutators.cross)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
