from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx


def test_a_mock_script_is_served_until_it_is_told_to_stop(tmp_path: Path) -> None:
    script = tmp_path / "mock.json"
    script.write_text(json.dumps({"model": "toy", "replies": [{"text": "Paris", "contains": "France"}]}))
    command = [sys.executable, "-m", "inferfuzz", "serve", "reference", "--port", "0", "--mock", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        body = {"model": "toy", "prompt": "capital of France", "stream": False}
        answer = httpx.post(f"{url}/api/generate", json=body, timeout=10).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert answer["response"] == "Paris"


def test_a_mock_script_with_an_unknown_field_is_the_users_mistake(tmp_path: Path) -> None:
    script = tmp_path / "mock.json"
    script.write_text('{"repliez": []}')
    command = [sys.executable, "-m", "inferfuzz", "serve", "reference", "--mock", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Did you mean 'replies'" in done.stderr
