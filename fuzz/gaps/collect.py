"""Runs replaying processes until every case has been replayed, or is known to end them. Resumes an interrupted run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from fuzz.corpus.atomic import write_atomically
from fuzz.gaps.model import Failed, Ready, ReplayEvent, ReplayPlan, Saved, Trying
from targets.errors import UsageError

LOADING = 120.0
"""Seconds that importing and loading the target may take."""

Listener = Callable[[int, int], None]
"""Told how many cases are done, and of how many."""


class Journal(msgspec.Struct, kw_only=True):
    """What an interrupted run has done already; beside its coverage data."""

    fingerprint: str
    codes: tuple[str, ...] = ()
    done: list[str] = []
    raised: dict[str, str] = {}
    violated: dict[str, tuple[str, ...]] = {}
    lost: dict[str, str] = {}
    """Case to how it ended the process."""


@dataclass
class Collected:
    """Coverage data files, and what happened on the way."""

    folder: Path
    journal: Journal
    resumed: int = 0
    """Cases that an earlier, interrupted run had replayed."""
    files: tuple[Path, ...] = field(default=())

    def discard(self) -> None:
        """Remove the working folder once its data is read."""
        shutil.rmtree(self.folder, ignore_errors=True)


def collect(plan: ReplayPlan, folder: Path, deadline: float, listener: Listener) -> Collected:
    """Replay every case. A case may take `deadline` seconds; one that ends its process is left out from then on.

    Raises `UsageError` when the target cannot be opened. What was replayed stays in `folder` when interrupted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = msgspec.structs.replace(plan, data=str(folder / "data"))
    collected = _resume(plan, folder)
    journal = collected.journal
    total = len(plan.cases)
    while True:
        settled = {*journal.done, *journal.lost}
        left = tuple(case for case in plan.cases if case.name not in settled)
        listener(total - len(left), total)
        if not left:
            break
        _run_once(msgspec.structs.replace(plan, cases=left), folder, deadline, journal, listener, total)
        _keep(journal, folder)
    collected.files = tuple(sorted(folder.glob("data.*")))
    return collected


def _resume(plan: ReplayPlan, folder: Path) -> Collected:
    path = folder / "journal.json"
    fingerprint = _fingerprint(plan)
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        journal = msgspec.json.decode(path.read_bytes(), type=Journal)
        if journal.fingerprint == fingerprint:
            return Collected(folder, journal, resumed=len(journal.done))
    for stale in (*folder.glob("data.*"), path):
        stale.unlink(missing_ok=True)
    return Collected(folder, Journal(fingerprint=fingerprint))


def _fingerprint(plan: ReplayPlan) -> str:
    """Changes with every case and with the source of every measured file."""
    digest = hashlib.sha256(msgspec.json.encode(plan))
    for path in plan.files:
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def _keep(journal: Journal, folder: Path) -> None:
    write_atomically(folder / "journal.json", msgspec.json.encode(journal))


def _run_once(
    plan: ReplayPlan, folder: Path, deadline: float, journal: Journal, listener: Listener, total: int
) -> None:
    """One process; it ends with its cases, or with the case that ends it (noted as lost)."""
    path = folder / "plan.json"
    path.write_bytes(msgspec.json.encode(plan))
    process = subprocess.Popen(
        [sys.executable, "-m", "fuzz.gaps.replay", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=(folder / "errors.txt").open("wb"),
        start_new_session=True,
        # Other cores of coverage.py know no contexts; one thread, as everywhere else.
        env={**os.environ, "COVERAGE_CORE": "ctrace", "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout
    lines: queue.Queue[bytes | None] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    trying = ""
    hung = False
    try:
        while (line := lines.get(timeout=deadline if trying else LOADING)) is not None:
            trying = _take(msgspec.json.decode(line, type=ReplayEvent), trying, journal, folder)
            if not trying:
                listener(len(journal.done) + len(journal.lost), total)
        process.wait()
    except queue.Empty:
        hung = True
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if trying:
        journal.lost[trying] = f"no end within {deadline:g} s" if hung else _ending(process.returncode)
    elif hung or process.returncode:
        complaint = (folder / "errors.txt").read_text(errors="replace").strip()[-2000:]
        raise UsageError(f"Target {plan.target!r} cannot be opened for replay.\n{complaint}")


def _take(event: ReplayEvent, trying: str, journal: Journal, folder: Path) -> str:
    """Note an event; the case that is being tried afterwards."""
    match event:
        case Failed(message=message):
            raise UsageError(f"The target cannot be opened for replay.\n{message.strip()}")
        case Ready(codes=codes):
            journal.codes = codes
        case Trying(name=name):
            return name
        case Saved():
            journal.done += event.names
            journal.raised |= event.raised
            journal.violated |= event.violated
            _keep(journal, folder)
            return ""
    return trying


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _read(stream: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)
