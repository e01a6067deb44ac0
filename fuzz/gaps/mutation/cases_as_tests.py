"""mutmut with cases in place of pytest's tests: run inside a scratch copy as `python -m`, it takes mutmut's arguments.

mutmut makes the mutants, remembers what became of them and says which are to be tested again, all as it would with
pytest (the scratch copy is an ordinary project for it). What differs is the time: everything is imported once and every
mutant gets a fork of that; no pytest session is started for it; the cases most likely to notice it come first; and a
mutant that hangs is ended after a small multiple of what the case costs without it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from fuzz.gaps.mutation.noticed import Notice

TEST = "tests/test_mutants.py::test_no_property_is_violated"
NOTICED, TIMEOUT = 1, 36
"""Exit codes of mutmut for a failed test and for one that took too long."""
TIMES, LEAST = 10.0, 1.0
"""A case may take this many times its CPU time without a mutant, and at least so many CPU seconds."""
UNKNOWN = 20.0
"""CPU seconds for a case that was not measured."""
SAMPLE, SAMPLE_RESULT = "inferfuzz_sample.json", "inferfuzz_sample_result.json"
SAMPLE_LIMIT = 3600
"""CPU seconds for all cases of a mutant in a sample; each case has its own limit."""
REACHED = "inferfuzz_reached.json"
QUICK = "INFERFUZZ_QUICK_MUTANTS"
"""Environment variable that asks for a quick search."""
WALL = 20.0
"""And this many times that by the clock, for a mutant that waits instead of working."""
MEMORY = 4 << 30
"""Bytes that a mutant may add to the size of its process."""


def main() -> None:
    """Run mutmut's command line; or with `generate` or `sample`, and how many at a time, only make the mutants, or test
    some of those that are made.
    """
    # Nothing of the target may be imported yet: its copy with the mutants is put in front by mutmut first.
    import mutmut.__main__ as mutmut

    match sys.argv[1:]:
        case ["generate", children]:
            _generate(mutmut, int(children))
        case ["sample", children]:
            mutmut.setup_source_paths()
            _sample(int(children))
        case _:
            mutmut.get_mutant_runner = _runner
            mutmut.cli()


def _generate(mutmut: Any, children: int) -> None:
    mutmut.set_mutant_under_test("mutant_generation")
    Path("mutants").mkdir(exist_ok=True)
    mutmut.copy_src_dir()
    mutmut.copy_also_copy_files()
    mutmut.setup_source_paths()
    mutmut.create_mutants(children)


def _sample(children: int) -> None:
    from mutmut.mutation.trampoline import set_mutant_under_test
    from mutmut.workers.isolation import run_in_fork

    from fuzz.gaps.mutation import noticed

    names: list[str] = json.loads(Path(SAMPLE).read_bytes())
    runner = _runner(children)
    notices = noticed.read(Path.cwd())
    cases = sorted({notices[name].case for name in names} & {*_names()})
    set_mutant_under_test("")
    if run_in_fork(CaseRunner().run_tests, mutant_name=None, tests=[test_name(case) for case in cases]):
        sys.exit("Failed to run clean test")
    tests = [test_name(case) for case in _names()]
    found: dict[str, int] = {}

    def collect() -> None:
        result = runner.wait_for_result()
        found[result.mutant_name] = result.exit_code
        print(f"{len(found)}/{len(names)}  ", flush=True)  # noqa: T201 - progress, as mutmut prints it

    runner.startup()
    try:
        for name in names:
            while not runner.has_capacity():
                collect()
            runner.submit(name, tests, SAMPLE_LIMIT, 0.0)
        runner.signal_work_complete()
        while runner.pending_count():
            collect()
    finally:
        runner.shutdown()
    Path(SAMPLE_RESULT).write_text(json.dumps(found), encoding="utf-8")


def _runner(max_workers: int = 1) -> Any:
    from mutmut.workers.isolation import ForkServerRunner, run_in_fork_with_result

    fresh = not Path("mutants/mutmut-stats.json").exists()
    with _inside_mutants():
        from fuzz.gaps.mutation import suite

        relating = suite.prepare(run_in_fork_with_result(suite.first_look))
    return ForkServerRunner(max_workers, CaseRunner, {"relating": relating, "clean": fresh})


@contextlib.contextmanager
def _inside_mutants() -> Iterator[None]:
    with contextlib.chdir("mutants"):
        yield


@dataclass
class CaseRunner:
    """What mutmut calls a test runner: the tests are cases, named as pytest would name them."""

    relating: tuple[str, ...] = ()
    """Properties that run a case again."""
    reached: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Mangled function to the cases that execute it, and by which properties each; empty if that is not known."""
    clean: bool = False
    """Whether the statistics are about to be collected, which runs every case without a mutant."""

    def warm_up(self) -> None:
        """Everything was imported before; what the statistics found out is read."""
        if (found := Path(REACHED)).is_file():
            self.reached = json.loads(found.read_bytes())

    def list_all_tests(self) -> Any:
        """The tests that there are."""
        from mutmut.runners.harness import ListAllTestsResult

        return ListAllTestsResult(ids={test_name(case) for case in _names()})

    def run_stats(self, *, tests: Iterable[str]) -> int:
        """Judge the cases, noting which functions each executes and its CPU seconds; 1 if a property is violated."""
        from mutmut.state import state

        from fuzz.gaps.mutation.noticed import OBSERVED

        chosen = set(tests)
        if chosen:
            self.warm_up()
        for case in _names():
            test = test_name(case)
            if chosen and test not in chosen:
                continue
            started = time.process_time()
            for code in (OBSERVED, *self.relating):
                state()._stats.clear()
                if _reported(case, (code,) if code else ()):
                    return NOTICED
                for function in state()._stats:
                    state().tests_by_mangled_function_name[function].add(test)
                    self.reached.setdefault(function, {}).setdefault(case, []).append(code)
            state().duration_by_test[test] = time.process_time() - started
        Path(REACHED).write_text(json.dumps(self.reached), encoding="utf-8")
        return 0

    def run_forced_fail(self) -> int:
        """Judge with every mutated function raising; some case has to notice."""
        return int(any(_reported(case) for case in _names()))

    def run_tests(self, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        """Judge cases until one notices the mutant; mutmut's exit code. Without a mutant, all of them or some."""
        cases = [case_name(test) for test in tests]
        if mutant_name is not None:
            return _try(mutant_name, self._reached(mutant_name, cases))
        if self.clean and not cases:
            return 0
        return int(any(_reported(case) for case in cases or _names()))

    def _reached(self, mutant: str, cases: list[str]) -> dict[str, list[str]]:
        from fuzz.gaps.mutation.noticed import OBSERVED

        known = self.reached.get(mutant.rpartition("__mutmut_")[0], {})
        return {case: known.get(case) or [OBSERVED, *self.relating] for case in cases}


def test_name(case: str) -> str:
    """The test of a case, as pytest names it."""
    return f"{TEST}[{case}]"


def case_name(test: str) -> str:
    """The case of a test."""
    return test.removeprefix(f"{TEST}[").removesuffix("]")


def _names() -> list[str]:
    from fuzz.gaps.mutation import suite

    with _inside_mutants():
        return suite.names()


def _reported(case: str, codes: tuple[str, ...] | None = None) -> bool:
    """Whether a case finds anything without a mutant; says what, for the message that the clean run failed."""
    from fuzz.gaps.mutation import suite

    with _inside_mutants():
        found = suite.judge(case, codes)
    if found:
        print(f"{case} violates {', '.join(found)}")  # noqa: T201 - shown by mutmut if the run fails
    return bool(found)


def _try(mutant: str, reached: dict[str, list[str]]) -> int:
    from mutmut.state import state

    from fuzz.gaps.mutation import noticed

    folder = Path.cwd()
    known = state().duration_by_test
    seconds = {case: known[test_name(case)] for case in reached if test_name(case) in known}
    for case, codes in noticed.attempts(mutant, reached, noticed.read(folder), seconds, QUICK in os.environ):
        if notice := _notice(folder, noticed.Notice(mutant, case, codes), seconds.get(case)):
            noticed.note(folder, notice)
            return NOTICED
    return 0


def _notice(folder: Path, attempt: Notice, seconds: float | None) -> Notice | None:
    """Judge a case by the properties of the attempt; what is to be noted if they notice anything."""
    from fuzz.gaps.mutation import noticed, suite

    unjudged = msgspec.structs.replace(attempt, codes=())

    def too_long(_number: int, _frame: FrameType | None) -> None:
        noticed.note(folder, unjudged)
        os._exit(TIMEOUT)

    limit = UNKNOWN if seconds is None else max(LEAST, TIMES * seconds)
    with _inside_mutants(), _limited(limit, too_long):
        try:
            codes = suite.judge(attempt.case, attempt.codes)
        except BaseException:  # noqa: BLE001 - whatever a mutant raises, the unchanged code does not
            return unjudged
    return msgspec.structs.replace(attempt, codes=codes) if codes else None


@contextlib.contextmanager
def _limited(seconds: float, too_long: Any) -> Iterator[None]:
    """Limits of CPU time, time by the clock and memory for what runs inside.

    A loop in C hears no handler; the hard limit of the kernel ends it, which mutmut takes for a timeout too.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    until = math.ceil(time.process_time() + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (until if hard < 0 else min(until, hard), hard))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (_size() + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    signal.signal(signal.SIGPROF, too_long)
    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, WALL * seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _size() -> int:
    import psutil

    return int(psutil.Process().memory_info().vms)


if __name__ == "__main__":
    main()
