"""`inferfuzz serve`: the reference front end, or a mock server for tests of clients."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from targets.codec import decode


@click.group()
def command() -> None:
    """Serve something that speaks like an inference server, on loopback."""


@command.command()
@click.option("--port", default=8000, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option(
    "--mock",
    "script",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Canned answers and faults (JSON, see targets/http/mock/script.py) instead of a model.",
)
@click.option("--model", default="reference-hash", show_default=True, help="Executor target to serve.")
def reference(port: int, script: Path | None, model: str) -> None:
    """The OpenAI, Anthropic and Ollama dialects over the reference executor, until interrupted."""
    with _mock(script, port) if script else _executor(model, port) as chosen:
        click.echo(f"http://127.0.0.1:{chosen}")
        sys.stdout.flush()
        _wait()


@contextlib.contextmanager
def _mock(script: Path, port: int) -> Iterator[int]:
    from targets.http.mock import MockScript, mock_server

    with mock_server(decode(script.read_bytes(), MockScript), port) as server:
        yield server.port


@contextlib.contextmanager
def _executor(model: str, port: int) -> Iterator[int]:
    from targets import registry
    from targets.reference.server.run import serving_target

    with serving_target(registry.find(model), port=port) as chosen:
        yield chosen


def _wait() -> None:
    """Until Ctrl-C or SIGTERM; both end the server in good order."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
