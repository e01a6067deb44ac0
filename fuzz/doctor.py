"""What is installed, what this machine can do, and what is missing, as plain data; torch is not imported."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import msgspec

import inferfuzz
from fuzz.contain import system
from targets.registry import listings

_DEVICE_TIMEOUT = 60.0
_ROOT = Path(__file__).resolve().parents[1]


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution that inferfuzz uses."""

    name: str
    purpose: str
    version: str | None
    """None when it is not installed."""
    required: bool
    install: str
    """The command that installs it; empty when there is nothing to install on this platform."""
    note: str = ""


class Ability(msgspec.Struct, frozen=True, kw_only=True):
    """Something the operating system lets us do, or does not."""

    name: str
    available: bool
    detail: str
    required: bool = False


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """A package of ours that another one of the same name hides."""

    name: str
    ours: str
    found: str


class Devices(msgspec.Struct, frozen=True, kw_only=True):
    """The devices PyTorch offers, or why they could not be listed."""

    names: tuple[str, ...]
    problem: str = ""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer of `inferfuzz doctor`."""

    inferfuzz: str
    python: str
    platform: str
    packages: tuple[Package, ...]
    devices: Devices
    abilities: tuple[Ability, ...]
    weaknesses: tuple[str, ...]
    """Means of containment that this platform replaces with weaker ones."""
    shadowed: tuple[Shadow, ...]
    targets_missing: dict[str, tuple[str, ...]]
    """Target to the commands that install what it needs."""
    problems: tuple[str, ...]
    """What has to be mended before inferfuzz can work; empty on a healthy machine."""


_REQUIRED = {
    "torch": "tensors of the reference executor",
    "numpy": "the float64 oracle",
    "hypothesis": "generation and shrinking",
    "coverage": "gaps",
    "mutmut": "mutation score",
    "pytest": "property suites",
    "msgspec": "cases, findings and messages",
    "psutil": "memory of workers",
    "scipy": "tests of distributions",
    "click": "this command line",
    "rich": "tables and progress",
}
_ATHERIS = "coverage-guided engine on libFuzzer"


def diagnose() -> Diagnosis:
    """Look at everything; starts one child process that imports torch, and ends it after a minute at the latest."""
    found = packages()
    able = abilities()
    shadows = tuple(Shadow(name=name, ours=ours, found=other) for name, ours, other in inferfuzz.shadowed())
    return Diagnosis(
        inferfuzz=_version("inferfuzz") or "not installed (run from its folder)",
        python=platform.python_version(),
        platform=platform.platform(),
        packages=found,
        devices=devices() if _version("torch") else Devices(names=(), problem="torch is not installed"),
        abilities=able,
        weaknesses=() if system.supported() else system.weaknesses(),
        shadowed=shadows,
        targets_missing={listing.name: missing for listing in listings() if (missing := listing.missing())},
        problems=problems(found, able, shadows),
    )


def packages() -> tuple[Package, ...]:
    """Every package that inferfuzz uses, installed or not."""
    required = [
        Package(name=name, purpose=purpose, version=_version(name), required=True, install=f"pip install {name}")
        for name, purpose in _REQUIRED.items()
    ]
    return (*required, _atheris(), *_of_targets())


def devices() -> Devices:
    """The devices PyTorch offers, listed by a child process so that torch is never loaded here."""
    code = (
        f"import sys; sys.path.insert(0, {str(_ROOT)!r}); import json; "
        "from targets.devices import torch_devices; print(json.dumps(torch_devices()))"
    )
    try:
        child = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_DEVICE_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return Devices(names=(), problem=f"torch did not list its devices within {_DEVICE_TIMEOUT:.0f} s")
    if child.returncode != 0:
        last = (child.stderr.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
        return Devices(names=(), problem=f"torch does not import: {last}")
    return Devices(names=tuple(json.loads(child.stdout.splitlines()[-1])))


def abilities() -> tuple[Ability, ...]:
    """What containment needs of the operating system."""
    unsupported = system.supported()
    found = [
        Ability(name="fork", available=not unsupported, detail=unsupported or "workers are forked", required=True),
    ]
    if unsupported:
        return tuple(found)
    return (
        *found,
        _shared_memory(),
        Ability(name="pidfd", available=system.has_pidfd(), detail="the end of a worker is seen at once"),
        Ability(name="prctl", available=_parent_death_signal(), detail="workers end with their parent"),
    )


def problems(found: tuple[Package, ...], able: tuple[Ability, ...], shadows: tuple[Shadow, ...]) -> tuple[str, ...]:
    """One sentence for each thing that keeps inferfuzz from working, with what to do."""
    missing = [f"{package.name} is missing. Run: {package.install}" for package in found if _is_missing(package)]
    unable = [f"{ability.name}: {ability.detail}" for ability in able if ability.required and not ability.available]
    hidden = [
        f"Package {shadow.name!r} ({shadow.ours}) is hidden by {shadow.found}; rename yours." for shadow in shadows
    ]
    return (*missing, *unable, *hidden)


def atheris_wheel(system_name: str, machine: str) -> bool:
    """Whether Atheris publishes wheels for a platform (`platform.system()`, `platform.machine()`)."""
    return system_name == "Linux" and machine in ("x86_64", "AMD64")


def _is_missing(package: Package) -> bool:
    return package.required and package.version is None


def _of_targets() -> list[Package]:
    users: dict[str, list[str]] = {}
    commands: dict[str, str] = {}
    for listing in listings():
        for module, install in listing.requires.items():
            users.setdefault(module, []).append(listing.name)
            commands.setdefault(module, install)
    return [
        Package(
            name=module,
            purpose=f"target{'s' if len(names) > 1 else ''} {', '.join(names)}",
            version=_version(module),
            required=False,
            install=commands[module],
        )
        for module, names in users.items()
        if module not in _REQUIRED
    ]


def _atheris() -> Package:
    published = atheris_wheel(platform.system(), platform.machine())
    place = f"{platform.system()} on {platform.machine()}"
    return Package(
        name="atheris",
        purpose=_ATHERIS,
        version=_version("atheris"),
        required=False,
        install="pip install atheris" if published else "",
        note="" if published else f"no wheel for {place}; the engine `guided` takes its place",
    )


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _shared_memory() -> Ability:
    try:
        os.close(system.memory_file("inferfuzz-doctor", 1 << 20))
    except OSError as error:
        return Ability(name="shared memory", available=False, detail=f"no memory file: {error}", required=True)
    return Ability(name="shared memory", available=True, detail="the case in hand outlives its worker", required=True)


def _parent_death_signal() -> bool:
    if not system.LINUX:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    signal_number = ctypes.c_int()
    get_parent_death_signal = 2
    return bool(libc.prctl(get_parent_death_signal, ctypes.byref(signal_number), 0, 0, 0) == 0)
