"""Entries for workers; a payload is a verb, a space and an argument."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from fuzz.contain.worker import flight_recorder, shared_memory

_kept: list[object] = []


def make(argument: bytes) -> Callable[[bytes], bytes]:
    def call(payload: bytes) -> bytes:
        verb, _, rest = payload.partition(b" ")
        reply: Any = VERBS[verb.decode()](rest)
        return reply  # type: ignore[no-any-return]

    if argument == b"touch-shared":
        shared_memory()[0] = 7
    return call


def make_nothing(argument: bytes) -> None:
    return None


def raise_at_start(argument: bytes) -> None:
    raise OSError("the model folder is damaged")


def hang_at_start(argument: bytes) -> None:
    time.sleep(60)


def share(rest: bytes) -> bytes:
    shared_memory()[: len(rest)] = rest
    return bytes(shared_memory())


def share_and_crash(rest: bytes) -> bytes:
    share(rest)
    os.abort()


def fork_and_return(rest: bytes) -> bytes:
    return b"child" if os.fork() == 0 else b"parent"


def end_later(rest: bytes) -> bytes:
    threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGSEGV)).start()
    return b"so far so good"


def kill_the_zygote(rest: bytes) -> bytes:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
    return b""


def start_a_tracker(rest: bytes) -> bytes:
    """Leaves multiprocessing's resource tracker running."""
    _kept.append(multiprocessing.get_context("spawn").Semaphore())
    return b""


def set_variable(rest: bytes) -> bytes:
    name, _, value = rest.decode().partition("=")
    os.environ[name] = value
    return b""


def keep_open(rest: bytes) -> bytes:
    _kept.append(os.open(os.devnull, os.O_RDONLY))
    return b""


def keep_thread(rest: bytes) -> bytes:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return b""


def fail_like_a_device(rest: bytes) -> bytes:
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise KeyError("text")


def raise_unprintable(rest: bytes) -> bytes:
    raise UnprintableError


def loop(rest: bytes) -> bytes:
    """Cases are numbers; `rest` is "how many", then what the last one does."""
    count, _, last = rest.decode().partition(" ")
    recorder = flight_recorder()
    for number in range(int(count)):
        recorder.begin(b"case %d" % number)
        if number == int(count) - 1 and last:
            VERBS[last](b"")
        recorder.end()
    if last == "between":
        time.sleep(60)
    return b"%d cases" % int(count)


def slow_loop(rest: bytes) -> bytes:
    for number in range(int(rest)):
        flight_recorder().begin(b"slow case %d" % number)
        time.sleep(0.05)
        flight_recorder().end()
    return b""


def sleep(rest: bytes) -> bytes:
    time.sleep(float(rest or b"60"))
    return rest


def write(rest: bytes) -> bytes:
    os.write(1, rest)
    return rest


def print_and_crash(rest: bytes) -> bytes:
    sys.stdout.write(rest.decode() + "\n")
    os.abort()


VERBS: dict[str, Callable[[bytes], object]] = {
    "echo": lambda rest: rest,
    "pid": lambda _: b"%d" % os.getpid(),
    "environment": lambda rest: os.environ.get(rest.decode(), "").encode(),
    "big": lambda rest: bytes(int(rest)),
    "number": lambda _: 3,
    "view": lambda rest: memoryview(rest),
    "crash": lambda _: os.abort(),
    "between": lambda _: None,
    "core": lambda _: str(os.sched_getaffinity(0)).encode(),
    "share": share,
    "share-and-crash": share_and_crash,
    "fork-and-return": fork_and_return,
    "end-later": end_later,
    "kill-the-zygote": kill_the_zygote,
    "start-a-tracker": start_a_tracker,
    "set-variable": set_variable,
    "keep-open": keep_open,
    "keep-thread": keep_thread,
    "fail-like-a-device": fail_like_a_device,
    "raise-unprintable": raise_unprintable,
    "loop": loop,
    "slow-loop": slow_loop,
    "sleep": sleep,
    "write": write,
    "print-and-crash": print_and_crash,
}
