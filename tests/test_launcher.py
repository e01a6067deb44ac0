from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import inferfuzz

ROOT = Path(inferfuzz.__file__).parent


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "inferfuzz", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_nothing_is_hidden_here() -> None:
    assert inferfuzz.shadowed() == ()


def test_a_package_that_hides_ours_is_named_with_both_files(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "__init__.py").write_text("")
    done = command(tmp_path, "--help")
    assert done.returncode == 2
    assert str(tmp_path / "targets" / "__init__.py") in done.stderr
    assert str(ROOT / "targets" / "__init__.py") in done.stderr


def test_help_imports_none_of_the_heavy_libraries(tmp_path: Path) -> None:
    script = (
        "import sys; from fuzz.cli import run\n"
        "try: run(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'transformers', 'atheris', 'scipy', 'hypothesis', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unknown_command_gets_the_nearest_match(tmp_path: Path) -> None:
    done = command(tmp_path, "replya")
    assert done.returncode == 2
    assert "Did you mean 'replay'" in done.stderr


def test_a_users_mistake_is_one_message_and_no_traceback(tmp_path: Path) -> None:
    done = command(tmp_path, "run", "refrence")
    assert done.returncode == 2
    assert "Did you mean 'reference'" in done.stderr
    assert "Traceback" not in done.stderr
