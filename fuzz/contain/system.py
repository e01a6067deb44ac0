"""All that depends on the operating system: Linux in full, macOS with the weaker means it has."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import resource
import select
import signal
import sys
import tempfile
from pathlib import Path

LINUX = sys.platform == "linux"

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_MAP_SHARED = 0x01
_MAP_FIXED = 0x10
_PROT_READ_WRITE = 0x03


def supported() -> str:
    """Why containment cannot run here at all; empty when it can."""
    if not hasattr(os, "fork"):
        return f"containment needs fork, which {sys.platform} does not have; run on Linux or macOS"
    return ""


def weaknesses() -> tuple[str, ...]:
    """One line for each means of containment that this platform lacks."""
    lacks = () if has_pidfd() else ("no pidfd here (Linux 5.3 has it): the end of a worker is polled every 10 ms",)
    if LINUX:
        return lacks
    return (
        *lacks,
        f"{sys.platform} has no parent-death signal: a worker outlives a killed zygote until its call ends",
        f"{sys.platform} does not list a process's children: one left behind ends with its worker, and is not reported",
        f"{sys.platform} cannot seal a file's size: a flood of output is seen only after the call",
        f"{sys.platform} does not enforce a limit of the address space: memory is not bounded",
    )


def has_pidfd() -> bool:
    """Whether the end of a process can be polled through a descriptor."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def memory_file(name: str, size: int) -> int:
    """A file without a name in memory (Linux) or in the temporary folder, `size` bytes long; inherited by children."""
    if LINUX:
        fd = os.memfd_create(name, os.MFD_ALLOW_SEALING)
    else:
        with tempfile.TemporaryFile(prefix=name) as file:
            fd = os.dup(file.fileno())
        os.set_inheritable(fd, True)
    os.ftruncate(fd, size)
    return fd


def seal_size(fd: int) -> None:
    """Let no write reach beyond the current end of a memory file: the writer gets EPERM instead. Linux only."""
    if LINUX:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)


def share_mapping(mapping: mmap.mmap, fd: int) -> None:
    """Turn a private mapping of `fd` into a shared one at the same address, so that existing views stay valid.

    Raises OSError when the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    ]
    address = ctypes.addressof(ctypes.c_char.from_buffer(mapping))
    result = libc.mmap(address, len(mapping), _PROT_READ_WRITE, _MAP_SHARED | _MAP_FIXED, fd, 0)
    if result != address:
        raise OSError(ctypes.get_errno(), "cannot share the mapping with the parent")


def die_with_parent(expected_parent: int) -> None:
    """Have the kernel kill this process when the thread that forked it ends; ends it now if that has happened."""
    if LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != expected_parent:
        os._exit(1)


def outlive_parent() -> None:
    """Take back `die_with_parent`."""
    if LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none escapes."""
    if LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children() -> frozenset[int]:
    """Process ids of this process's children, ended ones included; empty where the kernel does not list them."""
    found: set[int] = set()
    for thread in Path("/proc/self/task").glob("*"):
        try:
            found.update(int(pid) for pid in (thread / "children").read_text().split())
        except OSError:
            continue
    return frozenset(found)


def cores() -> tuple[int, ...]:
    """Where the calling thread may run; empty where the platform does not say."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


def core_count() -> int:
    """How many processes can work at the same time: one a core where this process may run."""
    return len(cores()) or os.cpu_count() or 1


def pin(core: int | None, pid: int = 0) -> set[int] | None:
    """Keep a process (0: the calling thread) on one core; returns where it could run before, None if unchanged."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        return None
    before = os.sched_getaffinity(pid)
    os.sched_setaffinity(pid, {core})
    return before


def unpin(cores: set[int] | None, pid: int = 0) -> None:
    """Take back `pin`, given what it returned."""
    if cores:
        os.sched_setaffinity(pid, cores)


def limit_memory(allowance: int) -> None:
    """Bound this process's address space by its present size plus `allowance` bytes. Not for CUDA. Linux only."""
    if not LINUX:
        return  # macOS accepts RLIMIT_AS and does not enforce it
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _lower(resource.RLIMIT_AS, pages * mmap.PAGESIZE + allowance)


def limit_descriptors(count: int) -> None:
    """Bound the number of open files, so that a leak is seen before it takes the machine's."""
    _lower(resource.RLIMIT_NOFILE, count)


def forbid_core_dumps() -> None:
    """Keep crashes quick: 1 byte rather than 0, since a core pattern that is a pipe ignores 0."""
    _lower(resource.RLIMIT_CORE, 1)


def _lower(kind: int, soft: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def has_ended(pidfd: int, seconds: float) -> bool:
    """Wait up to `seconds` for a process to end."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(seconds * 1000))


def may_have_children() -> bool:
    """Whether this process has a child, ended or not; False where only a listing could tell."""
    if not LINUX:
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def blocks_signal(pid: int, number: int) -> bool:
    """Whether the main thread of a process blocks or ignores a signal; False where that cannot be known."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    masks = dict(line.split(":\t", 1) for line in status.splitlines() if line.startswith(("SigBlk", "SigIgn")))
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks.values())


def seconds_waited_for_cpu(pid: int) -> float:
    """How long the main thread of a process stood ready without getting a core, in seconds; 0.0 where unknown."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
