"""Finds hand-made faults of the reference front end: each is put into a copy of the code, and hunted there.

`python -m fuzz.bench.servers.front_end [SEED]... [FAULT]...`
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec

from fuzz.bench.servers.faults import FAULTS, SERVER, Fault
from fuzz.bench.servers.hunt import Found, Summary
from fuzz.properties.model import Violation

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("targets", "strategies", "fuzz", "corpus")
SECONDS = 60.0
"""Of CPU, client and server together."""


class Hunted(NamedTuple):
    """How one fault fared."""

    fault: Fault
    seed: int
    violation: Violation | None
    """The first one of an expected property; None if there was none in time."""
    seconds: float
    """From the start of the loop to the finding; loading the model is not counted, here and in `cpu`."""
    cpu: float
    """Seconds of CPU of client and server."""
    cases: int
    others: tuple[str, ...]
    """Signatures of other properties seen before it."""

    @property
    def found_by(self) -> str:
        """Signature of the violation; empty if the fault was not found."""
        return self.violation.signature if self.violation else ""


def hunt_faults(faults: tuple[Fault, ...] = FAULTS, seconds: float = SECONDS, seed: int = 1) -> Iterator[Hunted]:
    """Hunt each fault for so many seconds at most. Raises `ValueError` when a fault's line is not in the code once."""
    for fault in faults:
        with TemporaryDirectory(prefix="inferfuzz-fault-") as folder:
            copy_with(fault, Path(folder))
            yield _hunt(fault, Path(folder), seconds, seed)


def copy_with(fault: Fault, folder: Path) -> None:
    """Copy the packages into a folder and put the fault into them."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / SERVER / fault.file
    source = path.read_text()
    if source.count(fault.before) != 1:
        raise ValueError(f"fault {fault.name!r}: its line is {source.count(fault.before)} times in {fault.file}")
    path.write_text(source.replace(fault.before, fault.after))


def _hunt(fault: Fault, folder: Path, seconds: float, seed: int) -> Hunted:
    target = "targets.http.locate:reference_openai_process" if fault.deadly else f"reference-{fault.dialect}"
    arguments = [sys.executable, "-m", "fuzz.bench.servers.hunt", target, str(seconds), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        arguments,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout
    others: list[str] = []
    try:
        for line in process.stdout:
            event = msgspec.json.decode(line, type=Found | Summary)
            if isinstance(event, Summary):
                return Hunted(fault, seed, None, event.seconds, event.cpu, event.cases, tuple(others))
            if event.violation.code in fault.codes:
                return Hunted(fault, seed, event.violation, event.seconds, event.cpu, event.cases, tuple(others))
            others.append(event.violation.signature)
        raise RuntimeError(f"the hunt for {fault.name!r} ended by itself with exit code {process.wait()}")
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the hunt and the server that it may have started, which is in its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main(arguments: list[str]) -> None:
    """Print one line a fault and seed; the command line is the seeds, or the names of faults."""
    seeds = [int(word) for word in arguments if word.isdigit()] or [1]
    chosen = tuple(fault for fault in FAULTS if fault.name in arguments) or FAULTS
    missed = 0
    for seed in seeds:
        for hunted in hunt_faults(chosen, seed=seed):
            missed += hunted.violation is None
            spent = f"{hunted.seconds:6.1f} s {hunted.cpu:6.1f} s CPU {hunted.cases:5} cases"
            line = f"{hunted.fault.name:26} seed {seed} {spent}  {hunted.found_by or 'NOT FOUND'}"
            sys.stdout.write(f"{line}  {' '.join(hunted.others)}\n")
            sys.stdout.flush()
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
