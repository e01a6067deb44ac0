"""Model folders: written once, whole, and never trusted blindly."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from targets.errors import UsageError
from targets.hugging_face.model_folder import MANIFEST, cache_root, ensure_folder


def write(folder: Path) -> None:
    (folder / "weights").write_bytes(b"\x00\x01")
    (folder / "config").write_text("{}")


def test_a_missing_folder_is_written_with_a_manifest(tmp_path: Path) -> None:
    folder = ensure_folder(tmp_path / "cache", "model", write)
    assert sorted(path.name for path in folder.iterdir()) == ["config", MANIFEST, "weights"]


def test_an_existing_folder_is_not_written_again(tmp_path: Path) -> None:
    def refuses(_: Path) -> None:
        raise AssertionError("written twice")

    first = ensure_folder(tmp_path, "model", write)
    assert ensure_folder(tmp_path, "model", refuses) == first


@pytest.mark.parametrize("name", ["config", "weights", MANIFEST])
@pytest.mark.parametrize("damage", ["emptied", "deleted", "changed"])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, name: str, damage: str) -> None:
    file = ensure_folder(tmp_path, "model", write) / name
    if damage == "deleted":
        file.unlink()
    else:
        file.write_bytes(b"" if damage == "emptied" else b"something else")
    with pytest.raises(UsageError, match=f"{name} is damaged.*Delete the folder"):
        ensure_folder(tmp_path, "model", write)


def test_a_folder_without_content_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(UsageError, match="is damaged"):
        ensure_folder(tmp_path, "model", write)


def test_an_interrupted_write_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupted(folder: Path) -> None:
        write(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_folder(tmp_path, "model", interrupted)
    assert list(tmp_path.iterdir()) == []


def test_writers_that_race_end_with_one_whole_folder(tmp_path: Path) -> None:
    together = threading.Barrier(4)
    results: list[Path] = []

    def write_late(folder: Path) -> None:
        together.wait()
        write(folder)

    def ensure() -> None:
        results.append(ensure_folder(tmp_path, "model", write_late))

    threads = [threading.Thread(target=ensure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [tmp_path / "model"] * 4
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_cache_that_cannot_be_written_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match=r"cannot be written.*XDG_CACHE_HOME"):
        ensure_folder(tmp_path / "file", "model", write)


def test_the_cache_follows_xdg_cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "inferfuzz"


def test_a_relative_xdg_cache_home_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    assert cache_root().is_absolute()
