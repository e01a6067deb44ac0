"""The atheris engine: libFuzzer chooses, in a child process; the cases run here, through the harness, contained."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from fuzz.engines.frames import Kind, PipeClosedError, SetUp, receive, send
from fuzz.engines.loop import drive
from fuzz.engines.model import Case, CaseSpace, Event, Harness, Plan, Trial
from fuzz.engines.novelty import Features, Novelty
from fuzz.engines.outbox import Outbox
from fuzz.engines.tally import survived
from targets.codec import DecodeError, encode

PATIENCE = 60.0
"""Seconds without a case after which the child counts as stuck."""
_NOTHING: Features = np.zeros(0, np.int64)


def atheris(harness: Harness, space: CaseSpace, plan: Plan) -> Iterator[Event]:
    """Coverage-guided fuzzing under libFuzzer: see `fuzz.engines.model.Engine`. The space must be picklable."""
    return drive("atheris", AtherisChooser(space, plan), harness, plan, Novelty(len(harness.probes)))


class AtherisChooser:
    """Gets cases from the child and tells it what they reached. `child` is the module that the child process runs."""

    def __init__(self, space: CaseSpace, plan: Plan, child: str = "fuzz.engines.atheris_process") -> None:
        self._space = space
        self._plan = plan
        self._module = child
        self._child: _LibFuzzer | None = None
        self.outbox = Outbox()
        self.corpus = 0

    def choose(self) -> Case | None:
        """The next case of libFuzzer's; None if the child is gone or stuck, which a note explains."""
        if self._child is None:
            self._child = _LibFuzzer(self._space, self._plan, self._module)
        try:
            return self._next_case(self._child)
        except PipeClosedError:
            self.outbox.notes.append(f"libFuzzer ended by itself, so the engine ends:\n{self._child.last_words()}")
        except TimeoutError as error:
            self.outbox.notes.append(f"{error}, so the engine ends")
        return None

    def learn(self, trial: Trial, features: Features, new: Features) -> None:
        """Tell libFuzzer what the case reached: nothing, if it cost a worker."""
        self.corpus += len(new) > 0
        if trial.failed:
            self.outbox.failures.append(trial)
        if self._child is not None:
            self._child.answer(features if survived(trial) else features[:0])

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.close()

    def _next_case(self, child: _LibFuzzer) -> Case:
        while True:
            kind, payload = child.receive()
            if kind is Kind.NOTE:
                self.outbox.notes.append(payload.decode())
                continue
            try:
                return self._space.decode(payload)
            except DecodeError:
                # The empty input, with which libFuzzer begins.
                child.answer(_NOTHING)


class _LibFuzzer:
    """The child process, its pipes and its folder."""

    def __init__(self, space: CaseSpace, plan: Plan, module: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="inferfuzz-atheris-")
        for number, case in enumerate(plan.seeds):
            (Path(self._folder.name) / f"seed-{number}").write_bytes(encode(case))
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        # A session of its own, so that Ctrl-C on the terminal does not reach it: the parent decides.
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout
        self._to, self._from = self._process.stdin, self._process.stdout
        set_up = SetUp(pickle.dumps(space), plan.seed, self._folder.name)
        with contextlib.suppress(PipeClosedError):  # `receive` will say so
            send(self._to.fileno(), Kind.SET_UP, msgspec.msgpack.encode(set_up))

    def receive(self) -> tuple[Kind, bytes]:
        """The child's next message. Raises `PipeClosedError`, or `TimeoutError` after `PATIENCE` seconds."""
        if not select.select([self._from], [], [], PATIENCE)[0]:
            raise TimeoutError(f"libFuzzer gave no case for {PATIENCE:.0f} seconds")
        return receive(self._from.fileno())

    def answer(self, features: Features) -> None:
        """Tell what the case in hand reached."""
        with contextlib.suppress(PipeClosedError):  # `receive` will say so
            send(self._to.fileno(), Kind.FEATURES, features.astype("<u4").tobytes())

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        self._complaints.seek(0)
        return self._complaints.read()[-2000:].decode(errors="replace")

    def close(self) -> None:
        """End the process and remove its folder."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._to, self._from, self._complaints):
            stream.close()
        self._folder.cleanup()
