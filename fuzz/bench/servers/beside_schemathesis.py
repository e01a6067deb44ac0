"""inferfuzz and Schemathesis on the same running server, one after the other, for the same time.

`python -m fuzz.bench.servers.beside_schemathesis [SECONDS] [TARGET]`. Schemathesis gets the dialect's documented domain
as an OpenAPI document, so that both know the same. Failures are counted as each tool counts them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from fuzz.bench.servers.hunt import Summary, hunt
from targets import registry
from targets.contract import Target
from targets.errors import UsageError
from targets.http.dialects.model import EndpointKind
from targets.http.openapi import document
from targets.http.server import Server

TOOL = "schemathesis"


class Row(NamedTuple):
    """What one tool did."""

    tool: str
    seconds: float
    requests: int
    failures: int
    """Different failures, as the tool tells them apart."""


def compare(target: Target, seconds: float, seed: int = 1) -> tuple[Row, Row]:
    """Run both for so many seconds on one server. Raises `UsageError` if Schemathesis is not installed."""
    server: Server = target.open(target.load("cpu", "float32"))
    held = _held(target, server)
    try:
        return _ours(held, seconds, seed), _theirs(server, seconds, seed)
    finally:
        server.close()


def _held(target: Target, server: Server) -> Target:
    """The target with the server that already runs; what opens it does not close it."""
    kept = replace(server, stop=lambda: None)
    return replace(target, load=lambda _device, _dtype: kept, open=lambda found: found)


def _ours(target: Target, seconds: float, seed: int) -> Row:
    summary = list(hunt(target, seconds, seed))[-1]
    assert isinstance(summary, Summary)
    return Row("inferfuzz", summary.seconds, summary.requests, summary.kinds)


def _theirs(server: Server, seconds: float, seed: int) -> Row:
    with TemporaryDirectory() as folder:
        schema, report = Path(folder, "openapi.json"), Path(folder, "report.json")
        schema.write_text(json.dumps(document((server.dialect,), server.api.limits)))
        command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", str(schema)]
        command += ["--url", server.client.address.url, "--phases", "fuzzing", "--max-time", str(int(seconds))]
        command += ["--continue-on-failure", "--max-examples", "100000", "--report-json-path", str(report)]
        command += ["--no-shrink", "--seed", str(seed)]
        for endpoint in server.dialect.endpoints:
            has = not server.api.endpoints or endpoint.name in server.api.endpoints
            if has and endpoint.kind is not EndpointKind.LIST:
                command += ["--include-path", endpoint.path]
        started = time.monotonic()
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds * 4 + 60, check=False, cwd=folder
        )
        if not report.exists():
            raise UsageError(f"Schemathesis did not run; pip install schemathesis. It said: {done.stderr[-500:]}")
        found = json.loads(report.read_text())
        elapsed = time.monotonic() - started
        cases = found["test_cases"]
        return Row(TOOL, elapsed, cases["generated"], cases["unique_failures"])


def main(arguments: list[str]) -> None:
    """Print the table."""
    seconds = float(arguments[0]) if arguments else 60.0
    target = registry.find(arguments[1] if len(arguments) > 1 else "transformers-serve")
    sys.stdout.write("tool          seconds  requests  requests/s  failures  failures/1000 requests\n")
    for row in compare(target, seconds):
        rate, yields = row.requests / row.seconds, 1000 * row.failures / max(1, row.requests)
        sys.stdout.write(
            f"{row.tool:12} {row.seconds:8.1f} {row.requests:9} {rate:11.1f} {row.failures:9} {yields:10.1f}\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
