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
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec

from fuzz.gaps.collect import Listener
from fuzz.gaps.mutation import noticed
from fuzz.gaps.mutation.cases_as_tests import QUICK, SAMPLE, SAMPLE_RESULT
from fuzz.gaps.mutation.model import NOTICED, Bucket, FunctionRecord, Mutant, bucket_of
from fuzz.gaps.mutation.noticed import Notice
from targets.errors import UsageError

_COUNT = re.compile(rb"(\d+)/(\d+)  ")
MOST_NEAR = 3
OURS = Path(__file__).parents[3]
_MANGLED = re.compile(r"^(?P<module>.*)\.x(?:ǁ(?P<owner>[^ǁ]+)ǁ|_)(?P<function>.+)__mutmut_\d+$")


def run_mutants(
    folder: Path, listener: Listener, *, children: int, names: Sequence[str] = (), quick: bool = False
) -> None:
    """Test whatever has changed since the last run; with names only those, changed or not. A quick search for what
    notices a mutant is not a complete one.

    Raises `UsageError` when it cannot: the clean run fails, nothing is covered, the package does not import.
    """
    noticed.compact(folder)
    _run(folder, ["run", "--max-children", str(children), *names], listener, {QUICK: "1"} if quick else {})


def run_sample(folder: Path, listener: Listener, *, children: int, names: Sequence[str]) -> dict[str, int]:
    """Test these mutants alone, each first by the case that is noted for it; exit codes by name.

    Raises `UsageError` when it cannot, as `run_mutants` does.
    """
    (folder / SAMPLE).write_bytes(msgspec.json.encode(list(names)))
    _run(folder, ["sample", str(children)], listener)
    return msgspec.json.decode((folder / SAMPLE_RESULT).read_bytes(), type=dict[str, int])


def make_mutants(folder: Path, *, children: int) -> None:
    """Only make the mutants. Raises `UsageError` when it cannot."""
    _run(folder, ["generate", str(children)], lambda _done, _total: None)


def _run(
    folder: Path, arguments: Sequence[str], listener: Listener, more: Mapping[str, str] = MappingProxyType({})
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "fuzz.gaps.mutation.cases_as_tests", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**environment(), **more},
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
    if process.returncode:
        text = tail.decode(errors="replace").replace("\r", "\n")
        raise UsageError(f"The mutants cannot be tested (exit code {process.returncode}).\n{_telling(text)}")


def read_mutants(
    folder: Path, tiers: Mapping[str, str], sampled: Mapping[str, int] | None = None
) -> tuple[Mutant, ...]:
    """Every mutant of the modules in `tiers` (`package/module.py` to its tier), with diffs for the unnoticed ones.

    With `sampled` only those, and the exit codes from there.
    """
    found: list[Mutant] = []
    near = nearest(noticed.read(folder).values())
    for path, tier in sorted(tiers.items()):
        known = read_meta(folder, path)
        codes = known.exit_code_by_key
        if sampled is not None:
            codes = {name: sampled[name] for name in codes if name in sampled}
        found += [_mutant(name, path, tier, bucket_of(code), near) for name, code in codes.items()]
    unnoticed = [mutant.name for mutant in found if mutant.bucket not in (*NOTICED, Bucket.SKIPPED)]
    diffs = _diffs(folder, unnoticed)
    return tuple(_with_diff(mutant, diffs.get(mutant.name, "")) for mutant in found)


class Meta(msgspec.Struct, frozen=True):
    """What mutmut keeps about a module."""

    exit_code_by_key: dict[str, int | None] = {}
    hash_by_function_name: dict[str, str] = {}


def read_meta(folder: Path, path: str) -> Meta:
    """mutmut's file on a module; empty if it has none."""
    meta = folder / "mutants" / f"{path}.meta"
    return msgspec.json.decode(meta.read_bytes(), type=Meta) if meta.is_file() else Meta()


def records(folder: Path, paths: Sequence[str]) -> tuple[FunctionRecord, ...]:
    """How the mutants of these modules were noticed, a record for each function."""
    notices = noticed.read(folder)
    found: list[FunctionRecord] = []
    for path in sorted(paths):
        meta = read_meta(folder, path)
        by_function: dict[str, dict[str, list[str]]] = {}
        for name, code in meta.exit_code_by_key.items():
            if bucket_of(code) is Bucket.KILLED and name in notices:
                function, _, number = name.rpartition("__mutmut_")
                by_function.setdefault(function, {}).setdefault(notices[name].case, []).append(number)
        found += [
            FunctionRecord(
                name=function,
                path=path,
                digest=meta.hash_by_function_name.get(function.rpartition(".")[2], ""),
                noticed={case: " ".join(numbers) for case, numbers in sorted(cases.items())},
            )
            for function, cases in sorted(by_function.items())
        ]
    return tuple(found)


def _mutant(name: str, path: str, tier: str, bucket: Bucket, near: Callable[[str], tuple[str, ...]]) -> Mutant:
    matched = _MANGLED.match(name)
    function = name
    if matched:
        owner = f"{matched['owner']}." if matched["owner"] else ""
        function = f"{owner}{matched['function']}"
    properties = () if bucket in NOTICED else near(name)
    return Mutant(name=name, path=path, function=function, tier=tier, bucket=bucket, nearest=properties)


def _with_diff(mutant: Mutant, diff: str) -> Mutant:
    return msgspec.structs.replace(mutant, diff=diff) if diff else mutant


def nearest(notices: Iterable[Notice]) -> Callable[[str], tuple[str, ...]]:
    """Tells, for a mutant, the properties that noticed most of what is nearest to it: its function, or its module."""
    counts: dict[str, Counter[str]] = {}
    for notice in notices:
        for place in (notice.function, notice.module):
            counts.setdefault(place, Counter()).update(notice.codes)

    def near(mutant: str) -> tuple[str, ...]:
        this = Notice(mutant, "")
        found = counts.get(this.function) or counts.get(this.module) or Counter()
        return tuple(code for code, _ in found.most_common(MOST_NEAR))

    return near


def _diffs(folder: Path, names: Sequence[str]) -> dict[str, str]:
    if not names:
        return {}
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.gaps.mutation.diffs"],
        cwd=folder,
        input=json.dumps(names),
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    if done.returncode:
        raise UsageError(f"The diffs of the survivors cannot be read.\n{done.stderr[-2000:]}")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def environment() -> dict[str, str]:
    """What mutmut has to run under inside a scratch copy."""
    # The project's own folder stands behind the copy, for a target module that lies outside the mutated package; then
    # this very inferfuzz, for one that is run without being installed.
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), str(Path.cwd()), str(OURS)]))
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
