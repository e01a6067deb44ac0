"""The scratch copy that is mutated: the packages in flat layout, a test module, and mutmut's configuration.

mutmut would overwrite the package itself if its configuration named an absolute path, and guesses layouts wrongly; a
copy beside a configuration of ours leaves the original alone whatever its layout. What has not changed is left alone,
so that mutmut tests again only what has.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from fuzz.gaps.model import ReplayPlan
from fuzz.gaps.mutation import noticed
from fuzz.gaps.mutation.model import NOTICED, bucket_of
from fuzz.gaps.mutation.suite import PLAN, SETUP
from fuzz.judge import BENCHES, Setup
from fuzz.probes.sources import Source, find_spec, find_with_imports
from fuzz.properties.registry import MODULES
from targets.contract import TargetKind
from targets.errors import UsageError

TESTS = "inferfuzz_tests.json"
"""What the mutants were last tested by."""
TEST = '''"""Every property on every case; written by `inferfuzz mutate`, for mutmut without it."""

import pytest

from fuzz.gaps.mutation import suite


@pytest.mark.parametrize("case", suite.names())
def test_no_property_is_violated(case: str) -> None:
    suite.check(case)
'''
_LEFT_OUT = ("__pycache__", ".git", ".mypy_cache", ".ruff_cache", "node_modules")


def stage(
    folder: Path,
    modules: Iterable[str],
    mutated: Sequence[str],
    plan: ReplayPlan,
    setup: Setup,
    kind: TargetKind = TargetKind.EXECUTOR,
    quick: bool = False,
) -> None:
    """Write or refresh the scratch copy. `mutated` are patterns such as `package/module.py`. Raises `UsageError`.

    What the tests would now find otherwise is to be tested again: every mutant when the source of the properties has
    changed; when only cases or properties came or went, those that nobody noticed and those whose noticer went or is
    another case by now; after a quick search, those that it did not notice.
    """
    tops = sorted({module.partition(".")[0] for module in modules})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = [_copy_top(top, folder) for top in tops]
        _write(folder / "tests" / "test_mutants.py", TEST.encode())
        _write(folder / PLAN, msgspec.json.encode(plan))
        _write(folder / SETUP, msgspec.json.encode(setup))
        _write(folder / "pyproject.toml", _settings(names, mutated).encode())
        _renew(folder, mutated)
        target = _digest(folder, names)
        tests = _Tests(sources=_sources(kind), cases=_cases(plan), codes=setup.codes or (), quick=quick, target=target)
        before = _tests_before(folder)
        if tests != before:
            _forget_statistics(folder)
            if before is None or before != msgspec.structs.replace(tests, target=before.target):
                _forget(folder, before, tests)
            _write(folder / TESTS, msgspec.json.encode(tests))
    except OSError as error:
        raise UsageError(f"The scratch copy in {folder} cannot be written: {error}.") from error


def _renew(folder: Path, mutated: Sequence[str]) -> None:
    """mutmut takes a module that a run for other modules only copied for one that is mutated already."""
    for path in mutated:
        copy = folder / "mutants" / path
        if copy.is_file() and b"_mutmut_mutated" not in copy.read_bytes():
            copy.unlink()


class _Tests(msgspec.Struct, frozen=True):
    """What the mutants were last tested by."""

    sources: str
    """Digest of the properties and of what they judge by."""
    cases: dict[str, str]
    """Name to digest."""
    codes: tuple[str, ...]
    quick: bool = False
    target: str = ""
    """Digest of the copied packages: what each case executes was found out with these."""


def _tests_before(folder: Path) -> _Tests | None:
    try:
        return msgspec.json.decode((folder / TESTS).read_bytes(), type=_Tests)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def judging(kind: TargetKind) -> tuple[Source, ...]:
    """The source of all that judges targets of this kind; what judges others alone is left out."""
    bench = BENCHES[kind].partition(":")[0]
    return find_with_imports(("fuzz.judge", bench, *MODULES[kind]), "fuzz")


def _sources(kind: TargetKind) -> str:
    digest = hashlib.sha256()
    for source in judging(kind):
        digest.update(source.data)
    return digest.hexdigest()


def _cases(plan: ReplayPlan) -> dict[str, str]:
    return {case.name: hashlib.sha256(case.case).hexdigest()[:16] for case in plan.cases}


def _forget(folder: Path, before: _Tests | None, tests: _Tests) -> None:
    """mutmut tests a mutant again when its function has changed, but not when the tests have."""
    notices = noticed.read(folder)
    same = {*before.cases.items()} & {*tests.cases.items()} if before and before.sources == tests.sources else set()
    cases = {name for name, _ in same}

    def stays(name: str, code: int | None) -> bool:
        notice = notices.get(name)
        if notice is None or notice.case not in cases or bucket_of(code) not in NOTICED:
            return False
        return not notice.codes or not tests.codes or bool({*notice.codes} & {*tests.codes})

    for path in (folder / "mutants").rglob("*.meta"):
        meta = json.loads(path.read_text(encoding="utf-8"))
        codes = meta["exit_code_by_key"]
        meta["exit_code_by_key"] = {name: code if stays(name, code) else None for name, code in codes.items()}
        path.write_text(json.dumps(meta, indent=4), encoding="utf-8")


def _forget_statistics(folder: Path) -> None:
    """Which case executes which function; mutmut takes a function that it has no statistics of for an untested one."""
    (folder / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)


def _digest(folder: Path, names: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        top = folder / name
        for path in sorted(top.rglob("*.py")) if top.is_dir() else [top]:
            digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _settings(names: Sequence[str], mutated: Sequence[str]) -> str:
    lines = {
        "source_paths": list(names),
        "only_mutate": list(mutated),
        "pytest_add_cli_args_test_selection": ["tests"],
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
        # Forking a process whose torch has threads hangs, and module caches would hide mutants.
        "process_isolation": "forkserver",
        "also_copy": [PLAN, SETUP],
        "use_git_change_detection": False,
    }
    # A table of its own, or pytest takes the settings of the project around the copy, whose plugins are not loaded.
    table = '[tool.pytest.ini_options]\naddopts = ""\n\n[tool.mutmut]\n'
    return table + "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())


def _copy_top(top: str, folder: Path) -> str:
    spec = find_spec(top)
    if spec is None:
        raise UsageError(f"Module {top!r} is not found, so it cannot be copied for mutation.")
    places = list(spec.submodule_search_locations or ())
    if not places:
        _write(folder / f"{top}.py", Path(str(spec.origin)).read_bytes())
        return f"{top}.py"
    source, copy = Path(places[0]), folder / top
    wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file() and not _is_left_out(path)}
    for path in wanted:
        _write(copy / path, (source / path).read_bytes())
    for path in [path for path in copy.rglob("*") if path.is_file() and not _is_left_out(path)]:
        if path.relative_to(copy) not in wanted:
            path.unlink()
    return top


def _is_left_out(path: Path) -> bool:
    return any(part in _LEFT_OUT for part in path.parts)


def _write(path: Path, data: bytes) -> None:
    """Only if it differs: mutmut goes by modification times."""
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
