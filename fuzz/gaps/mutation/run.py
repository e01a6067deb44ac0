"""Runs mutmut in a scratch copy and reads what became of every mutant. An interrupted run goes on where it ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from fuzz.gaps.collect import Listener
from fuzz.gaps.mutation.model import NOTICED, Bucket, Mutant, bucket_of
from targets.errors import UsageError

_COUNT = re.compile(rb"(\d+)/(\d+)  ")
_PARAMETER = re.compile(r"\[(?P<code>[^\]]+)\]$")
_MANGLED = re.compile(r"^(?P<module>.*)\.x(?:ǁ(?P<owner>[^ǁ]+)ǁ|_)(?P<function>.+)__mutmut_\d+$")


def run_mutants(folder: Path, listener: Listener, *, children: int, names: Sequence[str] = ()) -> str:
    """Run mutmut; the end of its output. With names only those are run, even if they were before.

    Raises `UsageError` when it cannot: the clean run fails, nothing is covered, the package does not import.
    """
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(children), *names]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(),
        start_new_session=True,
    )
    assert process.stdout
    tail = b""
    try:
        # It repaints one line, so there are hardly any line ends.
        while chunk := process.stdout.read1(65536):  # type: ignore[attr-defined]
            tail = (tail + chunk)[-20_000:]
            counts = _COUNT.findall(chunk)
            if counts:
                listener(int(counts[-1][0]), int(counts[-1][1]))
        process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    text = tail.decode(errors="replace").replace("\r", "\n")
    if process.returncode:
        raise UsageError(f"The mutants cannot be tested (exit code {process.returncode}).\n{_telling(text)}")
    return text


def read_mutants(folder: Path, tiers: Mapping[str, str]) -> tuple[Mutant, ...]:
    """Every mutant of the modules in `tiers` (`package/module.py` to its tier), with diffs for the unnoticed ones."""
    found: list[Mutant] = []
    tests = _tests(folder)
    for path, tier in sorted(tiers.items()):
        meta = folder / "mutants" / f"{path}.meta"
        if not meta.is_file():
            continue
        codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
        found += [_mutant(name, path, tier, bucket_of(code), tests) for name, code in codes.items()]
    unnoticed = [mutant.name for mutant in found if mutant.bucket not in (*NOTICED, Bucket.SKIPPED)]
    diffs = _diffs(folder, unnoticed)
    return tuple(_with_diff(mutant, diffs.get(mutant.name, "")) for mutant in found)


def _mutant(name: str, path: str, tier: str, bucket: Bucket, tests: Mapping[str, tuple[str, ...]]) -> Mutant:
    matched = _MANGLED.match(name)
    function = name
    if matched:
        owner = f"{matched['owner']}." if matched["owner"] else ""
        function = f"{owner}{matched['function']}"
    nearest = tests.get(name.rpartition("__mutmut_")[0], ())
    return Mutant(name=name, path=path, function=function, tier=tier, bucket=bucket, nearest=nearest)


def _with_diff(mutant: Mutant, diff: str) -> Mutant:
    return msgspec.structs.replace(mutant, diff=diff) if diff else mutant


def _tests(folder: Path) -> dict[str, tuple[str, ...]]:
    """Mangled function to the properties that execute it, the most specific three first."""
    path = folder / "mutants" / "mutmut-stats.json"
    if not path.is_file():
        return {}
    by_function = json.loads(path.read_text(encoding="utf-8"))["tests_by_mangled_function_name"]
    codes = {name: tuple(_codes(tests)) for name, tests in by_function.items()}
    reach = Counter(code for found in codes.values() for code in found)
    return {name: tuple(sorted(found, key=lambda code: (reach[code], code))[:3]) for name, found in codes.items()}


def _codes(tests: Sequence[str]) -> Iterator[str]:
    for test in tests:
        if matched := _PARAMETER.search(test):
            yield matched["code"]


def _diffs(folder: Path, names: Sequence[str]) -> dict[str, str]:
    if not names:
        return {}
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.gaps.mutation.diffs"],
        cwd=folder,
        input=json.dumps(names),
        capture_output=True,
        text=True,
        env=_environment(),
        check=False,
    )
    if done.returncode:
        raise UsageError(f"The diffs of the survivors cannot be read.\n{done.stderr[-2000:]}")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _environment() -> dict[str, str]:
    # The project's own folder stands behind the copy, for a target module that lies outside the mutated package.
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), str(Path.cwd())]))
    return {
        **os.environ,
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": "1",
        # Plugins of the environment cost seconds a process, and xdist or coverage break the run.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


def _telling(text: str) -> str:
    """The lines that say something, without the repainted ones."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not re.match(r"^[⠀-⣿]", line.strip())]
    return "\n".join(lines[-25:])
