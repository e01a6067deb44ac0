"""A function that crashes and hangs on some inputs, and the entry by which workers call it, with probes in it."""

from __future__ import annotations

import ctypes
import importlib
import time
from collections.abc import Callable

import msgspec

from fuzz.contain.worker import shared_memory
from fuzz.probes.hook import install
from fuzz.probes.plan import plan_probes

TARGET = "tests.fuzz.engines.fragile_target"


def serve(_: bytes) -> Callable[[bytes], bytes]:
    """The entry of `Supervisor`."""
    install(plan_probes([TARGET]), shared_memory())
    check = importlib.import_module(TARGET).check

    def call(payload: bytes) -> bytes:
        check(msgspec.json.decode(payload)["values"])
        return b""

    return call


def crash() -> None:
    ctypes.string_at(0)


def hang() -> None:
    while True:
        time.sleep(1)
