"""Which devices PyTorch offers here; torch is imported only when asked."""

from __future__ import annotations

import importlib.util

from targets.errors import unknown


def torch_devices() -> tuple[str, ...]:
    """Device names, `cpu` first; only `cpu` when torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        return ("cpu",)
    import torch

    found = ["cpu"]
    found += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        found += [f"xpu:{index}" for index in range(torch.xpu.device_count())]
    return tuple(found)


def check_device(device: str, offered: tuple[str, ...], target: str) -> str:
    """The device, with `cuda` read as `cuda:0`. Raises `UsageError` when the target does not offer it."""
    name = f"{device}:0" if device in ("cuda", "xpu") else device
    if name not in offered:
        raise unknown("device", device, offered, f"These are the devices that target {target!r} offers here.")
    return name
