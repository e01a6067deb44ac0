"""Defaults from `[tool.inferfuzz]` of the nearest `pyproject.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from targets.codec import DecodeError, convert
from targets.errors import UsageError

Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Modules that matter equally, and how well they must be covered (`fuzz.gaps.tiers` has the defaults)."""

    paths: tuple[str, ...] = ()
    """Patterns of paths, relative to the project or to where the package is imported from."""
    lines: Percent | None = None
    """Percent of the lines."""
    branches: Percent | None = None
    """Percent of the branches; the same as `lines` if left out."""
    mutation: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    """Least share of the mutants that must be noticed, 0 to 1."""


class ProfileOverride(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What a project changes in a profile (`fuzz.profiles`), or says of one of its own; None leaves a field alone."""

    time: str | None = None
    """Budget of a campaign."""
    examples: int | None = None
    """Cases a property gets under pytest."""
    patience: float | None = None
    """What every timeout is multiplied by."""
    steps: tuple[str, ...] | None = None
    """Steps of `inferfuzz check`."""
    derandomize: bool | None = None
    """The same cases in every run."""


class Category(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A category of tests under pytest: which tests belong to it beside those with its marker, and their timeout."""

    timeout: float | None = None
    """Seconds; None is the default of that name."""
    names: tuple[str, ...] = ()
    """Patterns of test ids, such as `tests/integration/*`."""


class Gaps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Settings of `inferfuzz gaps`."""

    baseline: str = "corpus/gaps"
    """Folder of the accepted baselines, one file a target; meant to be committed."""
    exclude: tuple[str, ...] = ()
    """Patterns of paths that are not measured."""


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What `[tool.inferfuzz]` may say; the command line overrides it."""

    targets: tuple[str, ...] = ()
    """Targets of `inferfuzz run` without arguments."""
    devices: tuple[str, ...] = ()
    """Devices to run on; empty is every device a target offers."""
    dtypes: tuple[str, ...] = ()
    """Number formats; empty is each target's first one."""
    time: str = "60s"
    jobs: int = 0
    """Parallel jobs; 0 is one a core."""
    engine: str = "auto"
    folder: str = ".inferfuzz"
    """Where corpus and findings are kept."""
    regressions: str = "corpus/regressions"
    """Where promoted findings go, for pytest to collect."""
    deadline: float = 10.0
    """Seconds a call may take."""
    profile: str = ""
    """Profile to use where neither a flag nor INFERFUZZ_PROFILE says so; empty is `ci` on CI and `local` elsewhere."""
    profiles: dict[str, ProfileOverride] = {}
    categories: dict[str, Category] = {}
    tiers: dict[str, Tier] = {}
    """Coverage tiers by name; the first one with a matching pattern takes a file, `core` takes the rest."""
    gaps: Gaps = Gaps()
    memory: int = 4096
    """Megabytes a worker may grow beyond its size after import; 0 is unlimited."""


def load(start: Path | None = None) -> Configuration:
    """The configuration for a folder: that of the nearest `pyproject.toml` upwards which has the section.

    Raises `UsageError` naming the file and the wrong field.
    """
    found = _find(start)
    return _decode(found[1], found[0]) if found else Configuration()


def project_root(start: Path | None = None) -> Path:
    """The folder of the `pyproject.toml` that `load` reads; the folder itself if there is none."""
    found = _find(start)
    return found[0].parent if found else (start or Path.cwd()).resolve()


def is_configured(start: Path | None = None) -> bool:
    """Whether a `pyproject.toml` with our section is found. Raises `UsageError` for one that cannot be read."""
    return _find(start) is not None


def _find(start: Path | None) -> tuple[Path, object] | None:
    folder = (start or Path.cwd()).resolve()
    for parent in (folder, *folder.parents):
        path = parent / "pyproject.toml"
        if path.is_file():
            section = _section(path)
            if section is not None:
                return path, section
    return None


def _section(path: Path) -> object | None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    section: object | None = document.get("tool", {}).get("inferfuzz")
    return section


def _decode(section: object, path: Path) -> Configuration:
    try:
        return convert(section, Configuration)
    except DecodeError as error:
        raise UsageError(f"{path}, [tool.inferfuzz]: {error}") from error
