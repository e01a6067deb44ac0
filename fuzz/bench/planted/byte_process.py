"""The child process of the rival that feeds bytes to Hypothesis: libFuzzer chooses them, `fuzz_one_input` reads them.

Cases run in the parent, as for our own engine under libFuzzer, so that no crash or hang ends the search; what a case
reached comes back and is told to libFuzzer as branches. That is less than Atheris' own instrumentation costs.
"""

from __future__ import annotations

import os
import pickle
import random
import sys
from pathlib import Path

import atheris
import msgspec

from fuzz.bench.planted.reader import reader
from fuzz.engines.atheris_process import Runner
from fuzz.engines.frames import PipeClosedError, SetUp, receive

LARGEST = 8192
"""Bytes of an input: what Hypothesis reads at most."""
BEGINNINGS = (64, 256, 1024, 4096, LARGEST)
"""Bytes of the random inputs that libFuzzer begins with; from short ones Hypothesis draws nothing."""


def main() -> None:
    """Serve the parent over standard input and output until it is gone."""
    cases = os.dup(1)
    os.dup2(2, 1)
    try:
        _, payload = receive(0)
        _fuzz(msgspec.msgpack.decode(payload, type=SetUp), Runner(0, cases))
    except PipeClosedError:
        os._exit(0)


def _fuzz(set_up: SetUp, runner: Runner) -> None:
    folder = Path(set_up.folder)
    generator = random.Random(set_up.seed)
    for size in BEGINNINGS:
        (folder / f"random-{size}").write_bytes(generator.randbytes(size))
    options = {
        "seed": set_up.seed % (2**32 - 1) + 1,
        "max_len": LARGEST,
        "len_control": 0,
        "timeout": 1_000_000,  # the parent keeps the deadlines
        "rss_limit_mb": 0,
        "detect_leaks": 0,
        "verbosity": 0,
        "artifact_prefix": f"{folder}/artifact-",
    }
    runner.reserve()
    arguments = [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(folder)]
    atheris.Setup(arguments, reader(pickle.loads(set_up.space), runner))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
