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
from fuzz.gaps.mutation.model import NOTICED, bucket_of
from fuzz.gaps.mutation.suite import CODES, OBSERVING, PLAN
from fuzz.probes.sources import find_sources, find_spec
from targets.errors import UsageError

TESTS = "inferfuzz_tests.txt"
"""Fingerprint of what the mutants were last tested by."""
TEST = '''"""Every property on every case; written by `inferfuzz mutate`."""

import pytest

from fuzz.gaps.mutation import suite


@pytest.mark.parametrize("code", suite.codes())
def test_no_property_is_violated(code: str) -> None:
    suite.check(code)
'''
_LEFT_OUT = ("__pycache__", ".git", ".mypy_cache", ".ruff_cache", "node_modules")


def stage(folder: Path, modules: Iterable[str], mutated: Sequence[str], plan: ReplayPlan, codes: Sequence[str]) -> None:
    """Write or refresh the scratch copy. `mutated` are patterns such as `package/module.py`. Raises `UsageError`.

    When cases or properties have changed, the mutants that nobody noticed are to be tested again.
    """
    tops = sorted({module.partition(".")[0] for module in modules})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = [_copy_top(top, folder) for top in tops]
        _write(folder / "tests" / "test_mutants.py", TEST.encode())
        _write(folder / PLAN, msgspec.json.encode(plan))
        _write(folder / CODES, msgspec.json.encode([OBSERVING, *codes]))
        _write(folder / "pyproject.toml", _settings(names, mutated).encode())
        tests = _fingerprint(plan, codes)
        if not (folder / TESTS).is_file() or (folder / TESTS).read_text() != tests:
            _forget_unnoticed(folder)
            (folder / TESTS).write_text(tests)
    except OSError as error:
        raise UsageError(f"The scratch copy in {folder} cannot be written: {error}.") from error


def _fingerprint(plan: ReplayPlan, codes: Sequence[str]) -> str:
    """Changes with the cases, and with the source of the properties and of what they judge by."""
    digest = hashlib.sha256(msgspec.json.encode(plan) + msgspec.json.encode(list(codes)))
    for source in find_sources(("fuzz.properties", "fuzz.lab", "fuzz.judge")):
        digest.update(source.data)
    return digest.hexdigest()


def _forget_unnoticed(folder: Path) -> None:
    """mutmut tests a mutant again when its function has changed, but not when the tests have become stronger."""
    (folder / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    for path in (folder / "mutants").rglob("*.meta"):
        meta = json.loads(path.read_text(encoding="utf-8"))
        codes = meta["exit_code_by_key"]
        meta["exit_code_by_key"] = {name: code if bucket_of(code) in NOTICED else None for name, code in codes.items()}
        path.write_text(json.dumps(meta, indent=4), encoding="utf-8")


def _settings(names: Sequence[str], mutated: Sequence[str]) -> str:
    lines = {
        "source_paths": list(names),
        "only_mutate": list(mutated),
        "pytest_add_cli_args_test_selection": ["tests"],
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
        # Forking a process whose torch has threads hangs, and module caches would hide mutants.
        "process_isolation": "forkserver",
        "also_copy": [PLAN, CODES],
        "use_git_change_detection": False,
    }
    return "[tool.mutmut]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())


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
