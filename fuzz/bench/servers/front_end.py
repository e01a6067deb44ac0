"""Finds hand-made faults of the reference front end: each is put into a copy of the code, and hunted there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec

from fuzz.bench.servers.faults import FAULTS, SERVER, Fault
from fuzz.bench.servers.hunt import Found, Summary

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("targets", "strategies", "fuzz", "corpus")
SECONDS = 60.0


class Hunted(NamedTuple):
    """How one fault fared."""

    fault: Fault
    found_by: str
    """Signature of the first violation of an expected property; empty if there was none in time."""
    seconds: float
    """From the start of the loop to the finding; loading the model is not counted."""
    cases: int
    others: tuple[str, ...]
    """Signatures of other properties seen before it."""


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
    arguments = [sys.executable, "-m", "fuzz.bench.servers.hunt", f"reference-{fault.dialect}", str(seconds), str(seed)]
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
    started = time.monotonic()
    try:
        for line in process.stdout:
            event = msgspec.json.decode(line, type=Found | Summary)
            if isinstance(event, Summary):
                return Hunted(fault, "", event.seconds, event.cases, tuple(others))
            if event.violation.code in fault.codes:
                return Hunted(fault, event.violation.signature, event.seconds, event.cases, tuple(others))
            others.append(event.violation.signature)
        code = process.wait()
        found = "exited" if "exited" in fault.codes and code else ""
        return Hunted(fault, found, time.monotonic() - started, 0, tuple(others))
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Print one line a fault."""
    missed = 0
    for hunted in hunt_faults():
        missed += not hunted.found_by
        outcome = hunted.found_by or "NOT FOUND"
        line = f"{hunted.fault.name:28} {hunted.seconds:6.1f} s {hunted.cases:6} cases  {outcome}"
        sys.stdout.write(f"{line}  {' '.join(hunted.others)}\n")
        sys.stdout.flush()
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
