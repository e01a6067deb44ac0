"""Model folders in the user's cache: written once, atomically, and checked byte for byte before they are read."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from targets.errors import UsageError

MANIFEST = "manifest.json"


def cache_root() -> Path:
    """`inferfuzz` below the platform's cache folder; an absolute `XDG_CACHE_HOME` wins on every platform."""
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if chosen.is_absolute():
        return chosen / "inferfuzz"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "inferfuzz"
    if sys.platform == "win32" and "LOCALAPPDATA" in os.environ:
        return Path(os.environ["LOCALAPPDATA"]) / "inferfuzz" / "Cache"
    return Path.home() / ".cache" / "inferfuzz"


def ensure_folder(root: Path, name: str, write: Callable[[Path], None]) -> Path:
    """The folder `root/name`, written by `write` if it is not there, and checked against its manifest.

    Several processes may ask at once: each writes its own copy and the first rename wins.
    Raises `UsageError` if the cache cannot be written or the folder is damaged.
    """
    folder = root / name
    try:
        if not folder.exists():
            _create(folder, write)
    except OSError as error:
        raise UsageError(
            f"The model folder {folder} cannot be written: {error}. "
            "Set XDG_CACHE_HOME to a folder that this user may write."
        ) from error
    check_folder(folder)
    return folder


def check_folder(folder: Path) -> None:
    """Compare every file with the manifest. Raises `UsageError` that names the first damaged file."""
    for name, digest in _manifest(folder).items():
        file = folder / name
        try:
            found = _digest(file)
        except OSError as error:
            raise _damaged(file, f"it cannot be read ({error.strerror})") from error
        if found != digest:
            raise _damaged(file, "its content is not what was written")


def _create(folder: Path, write: Callable[[Path], None]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write(draft)
        files = sorted(path for path in draft.rglob("*") if path.is_file())
        manifest = {path.relative_to(draft).as_posix(): _digest(path) for path in files}
        (draft / MANIFEST).write_bytes(msgspec.json.encode(manifest))
        draft.rename(folder)
    except OSError:
        # Another process was faster: its folder is as good as ours.
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _manifest(folder: Path) -> dict[str, str]:
    file = folder / MANIFEST
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except OSError as error:
        raise _damaged(file, f"it cannot be read ({error.strerror})") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(file, f"it is not a manifest ({error})") from error


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _damaged(file: Path, problem: str) -> UsageError:
    return UsageError(
        f"The model file {file} is damaged: {problem}. "
        f"Delete the folder {file.parent}; it is made again on the next run."
    )
