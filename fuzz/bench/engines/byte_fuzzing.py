"""The child process of one contestant: Atheris drives `fuzz_one_input` on an instrumented copy of the scheduler."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from types import ModuleType

import atheris
import msgspec

import fuzz.bench.engines.scheduler as plain
from fuzz.bench.engines.baselines import BYTES, test_of
from fuzz.bench.engines.discoveries import Discoveries
from targets.trace import Trace


def main() -> None:
    """Fuzz for the time and with the seed that the arguments say; write the search to standard output and exit."""
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    results = os.dup(1)
    os.dup2(2, 1)
    scheduler = _instrumented()
    discoveries = Discoveries()

    def judge(trace: Trace) -> None:
        discoveries.ran(scheduler.run(trace))

    fuzz_one_input = test_of(judge).hypothesis.fuzz_one_input

    def run_bytes(data: bytes) -> None:
        if discoveries.seconds > seconds:
            os.write(results, msgspec.json.encode(discoveries.search(BYTES, seed)))
            os._exit(0)
        fuzz_one_input(data)

    options = [f"-seed={seed + 1}", "-max_len=8192", "-rss_limit_mb=0", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options], run_bytes)
    atheris.Fuzz()


def _instrumented() -> ModuleType:
    # `instrument_imports` widens to the whole top-level package, so the one module is patched by hand.
    path = Path(str(plain.__file__))
    code = compile(ast.parse(path.read_bytes(), str(path)), str(path), "exec", dont_inherit=True)
    module = ModuleType(plain.__name__)
    exec(atheris.patch_code(code, True), module.__dict__)  # noqa: S102 - it is our own module
    return module


if __name__ == "__main__":
    main()
