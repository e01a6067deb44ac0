"""Fingerprints of model and code, so that a certificate says what it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from fuzz.probes.sources import find_sources

SAMPLED = 4096
"""Elements of each tensor that enter the fingerprint, evenly spaced: weights may be larger than the time allows."""
_DEPTH = 3


def code_fingerprint(modules: tuple[str, ...]) -> dict[str, str]:
    """Module to the first sixteen hexadecimal digits of the SHA-256 of its source, or to why there is none."""
    return {
        source.name: source.problem or hashlib.sha256(source.data).hexdigest()[:16] for source in find_sources(modules)
    }


def model_fingerprint(model: object) -> str:
    """`sampled-sha256:...` over name, type, shape and sampled elements of every tensor found in the model.

    Tensors (of torch or NumPy) are looked for in `state_dict()`, and otherwise in attributes, lists and dicts down to
    three levels. `no tensors found` if there are none.
    """
    digest = hashlib.sha256()
    found = False
    for name, tensor in sorted(_tensors(model), key=lambda item: item[0]):
        found = True
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(_sample(tensor))
    return f"sampled-sha256:{digest.hexdigest()[:32]}" if found else "no tensors found"


def _tensors(model: object) -> Iterator[tuple[str, Any]]:
    state = getattr(model, "state_dict", None)
    if callable(state):
        yield from ((str(name), value) for name, value in state().items() if _is_tensor(value))
    else:
        yield from _walk("", model, _DEPTH, set())


def _walk(name: str, value: object, depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if _is_tensor(value):
        yield name, value
    elif depth:
        for key, item in _parts(value):
            yield from _walk(f"{name}.{key}", item, depth - 1, seen)


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from ((str(key), item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        yield from ((str(position), item) for position, item in enumerate(value))
    else:
        yield from getattr(value, "__dict__", {}).items()
        yield from (
            (slot, getattr(value, slot))
            for slot in getattr(type(value), "__slots__", ())
            if isinstance(slot, str) and hasattr(value, slot)
        )


def _is_tensor(value: object) -> bool:
    return type(value).__module__.partition(".")[0] in ("torch", "numpy") and all(
        hasattr(value, name) for name in ("dtype", "shape", "reshape")
    )


def _sample(tensor: Any) -> bytes:
    flat = tensor.detach().reshape(-1) if hasattr(tensor, "detach") else tensor.reshape(-1)
    stride = max(1, len(flat) // SAMPLED)
    return repr(flat[::stride][:SAMPLED].tolist()).encode()
