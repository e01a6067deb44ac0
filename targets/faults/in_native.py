"""Faults committed in native code: libc through ctypes, and a few bytes of machine code; nothing is compiled."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import resource
import signal
import sys
import tempfile
from typing import NoReturn

from targets.faults.fault import Fault

_HALF_AN_HOUR = 1800
_FLOOD_BYTES = 1 << 30
_SMALL_STACK = 1 << 20
_X86, _ARM = ("x86_64", "AMD64"), ("aarch64", "arm64")
_SPIN = {**dict.fromkeys(_X86, b"\xeb\xfe"), **dict.fromkeys(_ARM, b"\x00\x00\x00\x14")}
"""A jump to itself."""
_INVALID = {**dict.fromkeys(_X86, b"\x0f\x0b"), **dict.fromkeys(_ARM, b"\x00\x00\x00\x00")}
"""The instruction that is defined to be undefined."""


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _machine_code(code: bytes) -> tuple[mmap.mmap, int]:
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    return page, ctypes.addressof(ctypes.c_char.from_buffer(page))


def read_null() -> None:
    """Read address 0."""
    ctypes.string_at(0)


def divide_by_zero() -> None:
    """Divide integers by zero; ARM's divider gives 0, so there the signal is raised."""
    _libc().div(1, 0)
    _libc().__getattr__("raise")(int(signal.SIGFPE))


def run_invalid_instruction() -> None:
    """Execute an instruction that no processor has."""
    page, address = _machine_code(_INVALID[platform.machine()])
    ctypes.CFUNCTYPE(None)(address)()
    page.close()


def overflow_stack() -> None:
    """Recurse through qsort's comparison callback, past the end of the stack."""
    # What is in use already stays in use; only the growth ends sooner, and with it the test.
    resource.setrlimit(resource.RLIMIT_STACK, (_SMALL_STACK, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    sys.setrecursionlimit(10**9)
    libc = _libc()
    pair = (ctypes.c_int * 2)(2, 1)

    def compare(_left: int, _right: int) -> int:
        libc.qsort(pair, 2, ctypes.sizeof(ctypes.c_int), callback)
        return 0

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(compare)
    libc.qsort(pair, 2, ctypes.sizeof(ctypes.c_int), callback)


def spin_with_gil() -> None:
    """Spin in native code and hold the interpreter's lock."""
    page, address = _machine_code(_SPIN[platform.machine()])
    ctypes.PYFUNCTYPE(None)(address)()
    page.close()


def spin_with_signals_blocked() -> None:
    """The same with every signal blocked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    spin_with_gil()


def wait_for_mutex() -> None:
    """Take a mutex twice, and hold the interpreter's lock."""
    libc = ctypes.PyDLL(None)
    mutex = ctypes.create_string_buffer(256)
    libc.pthread_mutex_init(mutex, None)
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)


def fail_to_allocate() -> None:
    """C++ `new` of half the address space: an exception that nothing catches."""
    new = ctypes.CDLL("libstdc++.so.6")._Znwm
    new.argtypes = [ctypes.c_size_t]
    new.restype = ctypes.c_void_p
    new(1 << 62)


def flood() -> None:
    """Write 1 GB to standard output and heed no error, as printf does."""
    libc = _libc()
    block = b"flood " * 10_000
    for _ in range(_FLOOD_BYTES // len(block)):
        libc.write(1, block, len(block))


def exhaust_descriptors() -> None:
    """Duplicate descriptors until the process may have no more, and leave them open."""
    libc = _libc()
    while libc.dup(0) >= 0:
        pass


def leave_child() -> None:
    """fork() without exec: the child sleeps."""
    libc = _libc()
    if libc.fork() == 0:
        libc.sleep(_HALF_AN_HOUR)
        os._exit(0)


def change_folder() -> None:
    """chdir() behind Python's back."""
    _libc().chdir(os.fsencode(tempfile.gettempdir()))


def panic_in_tokenizers() -> NoReturn:
    """A panic in Rust: truncate an encoding to fewer tokens than its stride."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit

    tokenizer = Tokenizer(WordLevel({"a": 0}, "a"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.encode("a a a a a a").truncate(3, stride=5)
    raise AssertionError("this version of tokenizers does not panic here")


IN_NATIVE_CODE = (
    Fault(
        "panic-c",
        "c",
        "panicked",
        panic_in_tokenizers,
        error_type="pyo3_runtime.PanicException",
        requires=("tokenizers",),
    ),
    Fault("exit-c", "c", "exited", lambda: _libc().exit(0), exit_code=0),
    Fault("sigsegv-c", "c", "crashed", read_null, signal=signal.SIGSEGV),
    Fault("sigabrt-c", "c", "crashed", lambda: _libc().abort(), signal=signal.SIGABRT),
    Fault("sigfpe-c", "c", "crashed", divide_by_zero, signal=signal.SIGFPE),
    Fault("sigill-c", "c", "crashed", run_invalid_instruction, signal=signal.SIGILL, machines=(*_X86, *_ARM)),
    Fault("sigkill-c", "c", "killed", lambda: _libc().kill(os.getpid(), int(signal.SIGKILL)), signal=signal.SIGKILL),
    Fault("stack-overflow-c", "c", "stack-overflow", overflow_stack, signal=signal.SIGSEGV, linux_only=True),
    Fault("loop-c", "c", "hung", spin_with_gil, machines=(*_X86, *_ARM)),
    Fault("lock-c", "c", "hung", wait_for_mutex),
    Fault("signals-blocked-c", "c", "hung", spin_with_signals_blocked, machines=(*_X86, *_ARM)),
    Fault("memory-c", "c", "out-of-memory", fail_to_allocate, signal=signal.SIGABRT, linux_only=True),
    Fault("output-flood-c", "c", "output-flood", flood, linux_only=True),
    Fault("descriptors-c", "c", "out-of-descriptors", exhaust_descriptors),
    Fault("child-c", "c", "leaked-child", leave_child, linux_only=True),
    Fault("closed-stdout-c", "c", "closed-stdout", lambda: _libc().close(1)),
    Fault("changed-state-c", "c", "changed-state", change_folder),
)
