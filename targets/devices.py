"""Which devices PyTorch offers here; torch is imported only when asked."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from targets.errors import unknown

_NODES = ("nvidia[0-9]*", "kfd", "dri/renderD*", "dxg")
"""Device files without one of which Linux has no accelerator that PyTorch could use."""


def torch_devices() -> tuple[str, ...]:
    """Device names, `cpu` first; only `cpu` when torch is not installed."""
    if importlib.util.find_spec("torch") is None or not _may_have_accelerator():
        return ("cpu",)
    import torch

    found = ["cpu"]
    found += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        found += [f"xpu:{index}" for index in range(torch.xpu.device_count())]
    return tuple(found)


def _may_have_accelerator() -> bool:
    """A look at the device files, since importing torch to find none takes seconds."""
    return sys.platform != "linux" or any(any(Path("/dev").glob(pattern)) for pattern in _NODES)


def check_device(device: str, offered: tuple[str, ...], target: str) -> str:
    """The device, with `cuda` read as `cuda:0`. Raises `UsageError` when the target does not offer it."""
    name = f"{device}:0" if device in ("cuda", "xpu") else device
    if name not in offered:
        raise unknown("device", device, offered, f"These are the devices that target {target!r} offers here.")
    return name
