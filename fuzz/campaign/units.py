"""From what the user names to the units of a campaign."""

from __future__ import annotations

import os
from collections.abc import Sequence

from fuzz.campaign.plan import Unit
from targets import registry
from targets.contract import Target
from targets.devices import check_device
from targets.errors import unknown

ALLOWED_HOSTS = "INFERFUZZ_ALLOW_HOSTS"
MODEL = "INFERFUZZ_MODEL"
ANSWER_SECONDS = "INFERFUZZ_DEADLINE"
DEFAULT_TARGETS = ("reference", "reference-hash")


def units_of(targets: Sequence[str], devices: Sequence[str], dtypes: Sequence[str]) -> tuple[Unit, ...]:
    """Each target on each device and in each number format.

    Without devices every device a target offers is used, without number formats each target's first. Raises
    `UsageError` for a name that is unknown or a library that is missing, before anything runs.
    """
    made: list[Unit] = []
    for name in targets or DEFAULT_TARGETS:
        target = registry.find(name)
        offered = target.devices()
        chosen = [check_device(device, offered, target.name) for device in devices] or list(offered)
        formats = [_check_dtype(dtype, target) for dtype in dtypes] or [target.dtypes[0]]
        made += [Unit(target=name, device=device, dtype=dtype) for device in chosen for dtype in formats]
    return tuple(dict.fromkeys(made))


def server_name(target: str, dialect: str | None, family: str | None) -> str:
    """The full name of a server given by URL and options: `openai:vllm+http://127.0.0.1:8000`.

    The dialect is `openai` unless given. Other targets keep their name.
    """
    if not target.startswith(("http://", "https://")) or (dialect is None and family is None):
        return target
    return f"{dialect or 'openai'}{f':{family}' if family else ''}+{target}"


def allow(hosts: Sequence[str]) -> None:
    """Let servers on these hosts be tested, here and in the jobs' processes."""
    if hosts:
        known = os.environ.get(ALLOWED_HOSTS, "")
        os.environ[ALLOWED_HOSTS] = ",".join(filter(None, (known, *hosts)))


def tell_of_servers(*, model: str | None, deadline: float | None) -> None:
    """Say which model to ask servers for and how many seconds an answer may take, here and in the jobs' processes."""
    if model is not None:
        os.environ[MODEL] = model
    if deadline is not None:
        os.environ[ANSWER_SECONDS] = f"{deadline:g}"


def _check_dtype(dtype: str, target: Target) -> str:
    if dtype not in target.dtypes:
        raise unknown("dtype", dtype, target.dtypes, f"These are the number formats of target {target.name!r}.")
    return dtype
