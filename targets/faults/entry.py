"""Faults as an entry for containment: the payload names what to commit."""

from __future__ import annotations

from collections.abc import Callable

from targets.faults import commit


def make(argument: bytes) -> Callable[[bytes], bytes]:
    """A callable that commits the fault its payload names up to the first space, then returns the payload.

    A payload that names none (empty up to the first space) just comes back. `argument` names a fault to commit now,
    at start; empty for none.
    """
    if argument:
        commit(argument.decode())
    return _call


def _call(payload: bytes) -> bytes:
    if name := payload.partition(b" ")[0]:
        commit(name.decode())
    return payload
