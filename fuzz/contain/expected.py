"""What libraries leave behind in good faith: reporting it would be a false alarm, and undoing it would break them."""

from __future__ import annotations

import time
from pathlib import Path

_VARIABLES = (
    # torch.compile hands these to the compiler processes that it starts.
    b"TORCH",
    b"_TORCH",
    b"TRITON_",
    # Set once by libraries that configure the libraries below them.
    b"CUBLAS_",
    b"CUDA_",
    b"DISABLE_CUPTI_",
    b"KMP_",
    b"MKL_",
    b"NCCL_",
    b"OMP_",
    b"TEARDOWN_CUPTI",
    b"TOKENIZERS_PARALLELISM",
)

_COMMANDS = (
    # The pool in which torch.compile compiles; it ends with the process that started it.
    b"torch/_inductor/compile_worker",
    # Started once by `multiprocessing`, for semaphores and shared memory.
    b"multiprocessing.resource_tracker",
    b"multiprocessing.forkserver",
)

_EXEC_SECONDS = 0.5
"""Most time that a new child has to become its program; a child that never does costs its call this much."""


def variable(name: bytes) -> bool:
    """Whether a library is known to set this environment variable when it is first used."""
    return name.startswith(_VARIABLES)


def process(pid: int) -> bool:
    """Whether a process is one that a library keeps for itself; False where the platform does not tell."""
    own = _command("self")
    until = time.monotonic() + _EXEC_SECONDS
    # A child that has been forked and has not yet become its program bears our own command line, and for a moment none.
    while (command := _command(str(pid))) in (own, b"") and time.monotonic() < until:
        time.sleep(0.002)
    return any(part in command for part in _COMMANDS)


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
