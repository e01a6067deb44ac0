"""Regressions: promoted findings, kept with a project's code, replayed by pytest on every run."""

from __future__ import annotations

from pathlib import Path

import msgspec

from fuzz.findings.model import Finding
from targets.codec import DecodeError, decode
from targets.errors import UsageError

FORMAT = 1


class Regression(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A case that failed once and must not fail again."""

    format: int = FORMAT
    finding: str
    """Id of the finding it was."""
    about: str
    """What was wrong, in one sentence; free to be edited."""
    signature: str
    target: str
    device: str
    dtype: str
    codes: tuple[str, ...]
    """Properties it is judged by; empty is every applicable one."""
    case: msgspec.Raw


def promoted(finding: Finding, about: str = "") -> Regression:
    """The regression that guards against a finding."""
    return Regression(
        finding=finding.id,
        about=about or finding.title,
        signature=finding.signature,
        target=finding.target,
        device=finding.device,
        dtype=finding.dtype,
        codes=finding.codes,
        case=finding.case,
    )


def save(folder: Path, regression: Regression) -> Path:
    """Write it under the finding's id. Raises `UsageError` if it is there already or the folder cannot be written."""
    path = folder / f"{regression.finding}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(regression), indent=1) + b"\n")
    except FileExistsError:
        raise UsageError(f"{path} exists already. Remove it first to promote the finding again.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    return path


def load(path: Path) -> Regression:
    """Read a regression. Raises `UsageError` naming the file and what is wrong with it."""
    try:
        found = decode(path.read_bytes(), Regression)
    except (OSError, DecodeError) as error:
        raise UsageError(f"Regression {path} cannot be read: {error}.") from error
    if found.format > FORMAT:
        raise UsageError(f"Regression {path} has format {found.format}; this version reads up to {FORMAT}.")
    return found
